from trialwatt.figures.treatments import axis


def test_a_baseline_far_from_the_steps_of_a_sweep_does_not_crowd_them(make_synthetic):
    runs, _ = make_synthetic("r-mem", "wmem_mb", values=(256, 384, 512, 2048))
    places = axis(runs).positions
    assert places[384.0] - places[256.0] > (places[2048.0] - places[256.0]) / 8


def test_even_steps_stay_even(make_synthetic):
    runs, _ = make_synthetic("r-mem", "wmem_mb", values=(256, 384, 512))
    places = axis(runs).positions
    assert places[384.0] - places[256.0] == places[512.0] - places[384.0]
