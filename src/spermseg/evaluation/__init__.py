"""Predictions against annotations, over a split."""

from spermseg.evaluation.result import EvaluationResult, Report2021, write_evaluation_report
from spermseg.evaluation.scoring import evaluate
from spermseg.evaluation.selection import Selection, select_pictures

__all__ = [
    "EvaluationResult",
    "Report2021",
    "Selection",
    "evaluate",
    "select_pictures",
    "write_evaluation_report",
]
