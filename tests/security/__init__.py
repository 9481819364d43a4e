"""What others hand us is data: it is never run, never markup, and leads nowhere else."""
