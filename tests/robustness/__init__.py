"""What must not break vde-nb: hostile files, thousands of comparisons, threads, kills, bad disks.

A short version of everything runs with the other tests. The long one, for a night or a release::

    python -m pytest -m long tests/robustness

``VDE_NB_LONG`` scales it: 0.1 for a tenth of the work, 1 by default. Fuzzing that is guided by
coverage, for as long as one likes, needs atheris, which is not installed with vde-nb::

    pip install atheris
    python -m tests.robustness.fuzz_images --seconds 3600
"""
