"""What every SUT keeps to on every platform, as tests that any checkout or none can run.

`pytest --pyargs trialwatt.contract --sut NAME` (docs/add-a-sut.md).
"""
