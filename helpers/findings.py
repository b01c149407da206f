"""One line of a report: what was found, and what to do about it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """A line that is marked `!!` where it has a remedy, and `ok` otherwise."""

    name: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        mark = "!!" if self.remedy else "ok"
        return f"{mark}  {self.name:<11}{self.found}" + (f"; {self.remedy}" if self.remedy else "")
