"""What samples a shard in the tests, in a module that other processes can import."""

import os
import signal

import jax


def run_shard(key, shard, num_shards):
    """Draws whose mean is that of the shard."""
    return {"mean": shard["x"].mean() + jax.random.normal(key, (50,)) / num_shards}


def fail_at_first_rows(key, shard, num_shards):
    """Fail on the shards of the first four rows."""
    if shard["x"][0] < 4:
        raise FloatingPointError("no start with a finite density")
    return run_shard(key, shard, num_shards)


def die_once(path, key, shard, num_shards):
    """Take the process down while it holds the last shard, the first time."""
    if shard["x"][-1] == 9:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            pass
        else:
            os.kill(os.getpid(), signal.SIGKILL)
    return run_shard(key, shard, num_shards)
