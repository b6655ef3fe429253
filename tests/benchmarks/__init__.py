"""Speed and memory, each number beside its reference in the same run."""
