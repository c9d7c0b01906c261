"""What a display says of a run beside its length."""

from __future__ import annotations

from sojourn_hmc.run import Run


class Description:
    """Words on a run; draws are counted once, as they come.

    Parameters
    ----------
    run : Run
        The run.
    """

    def __init__(self, run: Run):
        self._run = run
        self._begin_phase()

    def _begin_phase(self) -> None:
        self._phase = self._run.phase_number
        self._counted = self._divergences = self._steps = 0

    def __call__(self) -> str:
        """The kernel's words on a chain, mean steps of the draws so far, divergences so far."""
        run = self._run
        if run.phase_number != self._phase:
            self._begin_phase()
        parts = [self._of_the_kernel()]
        names = run.job.fields.names
        counted, self._counted = self._counted, run.num_draws
        if self._counted and "num_steps" in names:
            steps = run.fields()[names.index("num_steps")]
            self._steps += int(steps[:, counted:].sum())
            per_draw = self._steps / (self._counted * run.num_chains)
            parts.append(f"{per_draw:.1f} steps per draw")
        if self._counted and "diverging" in names:
            diverging = run.fields()[names.index("diverging")]
            self._divergences += int(diverging[:, counted:].sum())
            parts.append(f"{self._divergences} divergences")
        return ", ".join(part for part in parts if part)

    def _of_the_kernel(self) -> str:
        states = self._run.lanes[0].chain_states(self._run.job.placement.batched)
        return self._run.job.kernel.get_diagnostics_str(states[0])
