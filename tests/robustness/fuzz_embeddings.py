"""Run ``python -m tests.robustness.fuzz_embeddings --seconds 60``; see `harness`."""

from tests.robustness.harness import main

if __name__ == "__main__":
    main("embeddings")
