"""What ends a step of the night.

TrainingError
├── BadBase        the base model cannot be trained or served
├── BadData        rows that cannot be learned from
├── TooLittle      fewer verdicts than `training.data` asks for
├── OutOfBudget    time or memory of the settings is used up; the next start goes on
├── Diverged       a loss is no number, or KL ran away before anything was worth keeping
├── NoServer       the vLLM server that writes the rollouts does not
└── NoRoom         the disk is full
"""


class TrainingError(Exception):
    """The message is one line: what happened, to what, and what to do now."""


class BadBase(TrainingError):
    pass


class BadData(TrainingError):
    pass


class TooLittle(TrainingError):
    pass


class OutOfBudget(TrainingError):
    pass


class Diverged(TrainingError):
    pass


class NoServer(TrainingError):
    pass


class NoRoom(TrainingError):
    pass
