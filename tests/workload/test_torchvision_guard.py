import subprocess
import sys


def test_datasets_import_beside_a_cpu_build_and_nothing_stays_patched():
    code = (
        "import torch; real = torch.library.register_fake\n"
        "from trialwatt.workload.torchvision_guard import torchvision_datasets\n"
        "assert torchvision_datasets().MNIST and torchvision_datasets().FashionMNIST\n"
        "assert torch.library.register_fake is real\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
