"""The conclusions of the 2021 report, each held against our figures by a rule that is written down.

Every rule rests on one training of each experiment: what it tells apart are the test pictures, not
the seeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from spermseg.experiments.measured import MEAN, Interval, Measured, difference

Verdict = Literal["holds", "does not hold", "not told apart", "not tested"]
Results = Mapping[str, Measured]
"""Experiments that are done, by name."""

FOUND_IOU = 0.05
"""A part counts as found from this IoU on; noise of a few pixels stays below."""
AS_GOOD_IOU = 0.02
"""Up to this loss of mean IoU counts as about as good; people's annotations of one picture differ
by ten times as much."""
HALF_THE_TIME = 0.6
"""Up to this share of the time counts as about half of it."""

VARIATIONS = (
    "pretrained-not-normalised",
    "resize-600-crop-400",
    "cross-entropy-plus-dice",
    "adadelta",
)
NETWORKS = ("fcn-resnet50", "lraspp")
DEFECTS = ("labels-as-published", "corners-as-published", "both-as-published")
LIKE_PAIR = ("pretrained-not-normalised", "experiment-4")
"""Differ in pretraining alone; the report's own pairs differ in normalisation as well."""


@dataclass(frozen=True)
class Conclusion:
    """One conclusion of the report and what our figures say about it.

    Parameters
    ----------
    claim : str
        In our words.
    rule : str
        When it holds.
    verdict : str
        ``holds``, ``does not hold``, ``not told apart`` or ``not tested``.
    figures : tuple of str
        The figures that decide, or the experiments that are missing.
    """

    claim: str
    rule: str
    verdict: Verdict
    figures: tuple[str, ...]


def check_conclusions(results: Results) -> list[Conclusion]:
    """Check every conclusion of the report against the experiments that are done."""
    return [
        check_pretraining(results),
        check_longer_training(results),
        check_cross_entropy(results),
        check_small_batches(results),
        check_variations(results),
    ]


def check_pretraining(results: Results) -> Conclusion:
    """Check that pretrained weights help, at both lengths of training."""
    claim = (
        "Pretrained weights help, even when they come from other pictures (experiments 1 and 3 "
        "against 2 and 4)."
    )
    rule = (
        "Holds when the mean IoU without background rises from 2 to 1 and from 4 to 3 and both "
        "intervals lie above 0; does not hold when one lies below 0."
    )
    pairs = [("experiment-1", "experiment-2"), ("experiment-3", "experiment-4")]
    known = [pair for pair in pairs if all(name in results for name in pair)]
    if not known:
        return _not_tested(claim, rule, results, *(name for pair in pairs for name in pair))
    gains = {pair: difference(results[pair[0]], results[pair[1]], MEAN) for pair in known}
    signs = {gain.sign for gain in gains.values()}
    verdict: Verdict = "does not hold"
    if -1 not in signs:
        verdict = "holds" if signs == {1} else "not told apart"
        if known != pairs:
            verdict = "not tested"
    figures = [_gain(results, *pair, MEAN) for pair in known]
    figures += [f"{pair[0]} or {pair[1]} is missing" for pair in pairs if pair not in known]
    if not _missing(results, *LIKE_PAIR):
        figures.append(f"with neither normalised: {_gain(results, *LIKE_PAIR, MEAN)}")
    source = results[known[0][0]].started_from
    if source != "coco-voc":
        figures.append(f"pretrained means here: {source}; COCO's weights are not tested")
    return Conclusion(claim, rule, verdict, tuple(figures))


def check_longer_training(results: Results) -> Conclusion:
    """Check that the clean network begins to find segments when it is trained longer."""
    claim = (
        "Without pretraining, the longer training begins to find segments (experiment 2 against 4)."
    )
    rule = (
        f"Holds when experiment 2 finds a part (IoU of {FOUND_IOU:g} or more), and its mean IoU "
        "without background is above experiment 4's with the interval above 0."
    )
    if missing := _missing(results, "experiment-2", "experiment-4"):
        return _not_tested(claim, rule, results, *missing)
    longer, shorter = results["experiment-2"], results["experiment-4"]
    found = [part for part in longer.parts[1:] if longer.iou(part) >= FOUND_IOU]
    sign = difference(longer, shorter, MEAN).sign
    verdict: Verdict = "does not hold"
    if found and sign >= 0:
        verdict = "holds" if sign else "not told apart"
    names = f"experiment 2 finds {', '.join(found) or 'no part'}"
    return Conclusion(
        claim, rule, verdict, (_gain(results, longer.name, shorter.name, MEAN), names)
    )


def check_cross_entropy(results: Results) -> Conclusion:
    """Check that cross entropy alone suits thin tails badly."""
    claim = (
        "Cross entropy alone suits this problem badly; thin tails suffer (experiment 3 against "
        "0.8 cross entropy + 0.2 Dice)."
    )
    rule = (
        "Holds when the compound loss raises the IoU of the tail with the interval above 0; does "
        "not hold when it lowers it."
    )
    if missing := _missing(results, "cross-entropy-plus-dice", "experiment-3"):
        return _not_tested(claim, rule, results, *missing)
    pair = "cross-entropy-plus-dice", "experiment-3"
    gain = difference(results[pair[0]], results[pair[1]], "tail")
    figures: tuple[str, ...] = (_gain(results, *pair, "tail"),)
    if all(results[name].iou("tail") < FOUND_IOU for name in pair):
        figures += (f"neither finds the tail (IoU below {FOUND_IOU:g})",)
    return Conclusion(claim, rule, _by_sign(gain), figures)


def check_small_batches(results: Results) -> Conclusion:
    """Check that batch 5 and 10 epochs do about as well as batch 10 and 25, in half the time."""
    claim = (
        "Batch 5 and 10 epochs are about as good as batch 10 and 25 epochs in about half the time "
        "(experiment 3 against 1)."
    )
    rule = (
        f"Holds when experiment 3 loses at most {AS_GOOD_IOU:g} of mean IoU without background and "
        f"trains in at most {_percent(HALF_THE_TIME)} of the time; not told apart when it loses "
        "more, but not by the whole interval."
    )
    if missing := _missing(results, "experiment-3", "experiment-1"):
        return _not_tested(claim, rule, results, *missing)
    short, long = results["experiment-3"], results["experiment-1"]
    gain = difference(short, long, MEAN)
    share = short.seconds / long.seconds
    verdict: Verdict = "does not hold"
    if share <= HALF_THE_TIME and gain.high >= -AS_GOOD_IOU:
        verdict = "holds" if gain.value >= -AS_GOOD_IOU else "not told apart"
    time = f"time {_minutes(short)} against {_minutes(long)} minutes, {_percent(share)}"
    return Conclusion(claim, rule, verdict, (_gain(results, short.name, long.name, MEAN), time))


def check_variations(results: Results) -> Conclusion:
    """Check that none of the report's four other variations brings a significant improvement."""
    claim = "The four other variations bring no significant improvement over experiment 3."
    rule = (
        "Does not hold when one of them raises the mean IoU without background with the interval "
        "above 0."
    )
    if missing := _missing(results, *VARIATIONS, "experiment-3"):
        return _not_tested(claim, rule, results, *missing)
    gains = {n: difference(results[n], results["experiment-3"], MEAN) for n in VARIATIONS}
    better = any(gain.sign > 0 for gain in gains.values())
    figures = tuple(_gain(results, name, "experiment-3", MEAN) for name in gains)
    return Conclusion(claim, rule, "does not hold" if better else "holds", figures)


def compare_networks(results: Results) -> list[str]:
    """Say how the networks of the report's future work stand against DeepLabV3, one line each."""
    lines = []
    for name in NETWORKS:
        if missing := _missing(results, name, "experiment-3"):
            lines.append(f"{name}: not tested ({', '.join(missing)} missing)")
            continue
        sign = difference(results[name], results["experiment-3"], MEAN).sign
        verdict = ("not told apart from", "better than", "worse than")[sign]
        time = results[name].seconds / results["experiment-3"].seconds
        lines.append(
            f"{name} ({results[name].config['model']['architecture']}): {verdict} DeepLabV3; "
            f"{_gain(results, name, 'experiment-3', MEAN)}; "
            f"{_percent(time)} of its training time"
        )
    return lines


def judge_defects(results: Results) -> list[str]:
    """Say what each defect of the report's labels does, in truth and by the report's own "IoU"."""
    lines = []
    for name in DEFECTS:
        if missing := _missing(results, name, "experiment-3"):
            lines.append(f"{name}: not tested ({', '.join(missing)} missing)")
            continue
        sign = difference(results[name], results["experiment-3"], MEAN).sign
        before, after = (
            results[entry].variants["as-published"]["report_2021"]["iou"]
            for entry in ("experiment-3", name)
        )
        lines.append(
            f"{name}: the network is {('not told apart', 'better', 'worse')[sign]} "
            f"({_gain(results, name, 'experiment-3', MEAN)}); by the report's own “IoU” on its own "
            f"labels it looks {'better' if after > before else 'worse'} "
            f"({after:.3f} against {before:.3f})"
        )
    return lines


def _gain(results: Results, name: str, against: str, part: str) -> str:
    one, other = results[name], results[against]
    what = "mean IoU without background" if part == MEAN else f"IoU of the {part}"
    return (
        f"{what} {one.iou(part):.3f} ({name}) against {other.iou(part):.3f} ({against}), "
        f"difference {difference(one, other, part)}"
    )


def _by_sign(gain: Interval) -> Verdict:
    verdicts: tuple[Verdict, ...] = ("not told apart", "holds", "does not hold")
    return verdicts[gain.sign]


def _missing(results: Results, *names: str) -> list[str]:
    return [name for name in names if name not in results]


def _not_tested(claim: str, rule: str, results: Results, *names: str) -> Conclusion:
    missing = ", ".join(_missing(results, *names))
    return Conclusion(claim, rule, "not tested", (f"missing: {missing}",))


def _minutes(measured: Measured) -> str:
    return f"{measured.seconds / 60:.1f}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
