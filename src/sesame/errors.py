"""What stops a command before it has begun, said in one line for each problem."""


class CommandError(Exception):
    """Something the operator can put right: each line says what is wrong and what to do about it."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines
