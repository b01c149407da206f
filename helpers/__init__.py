"""The shared code of the lessons: each function is written in a lesson first, then imported from here."""
