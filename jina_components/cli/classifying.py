"""`classify`, `train-classifier` and `evaluate-classifier`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jina_components.cli.common import Commands, add_command, counted, print_json, read_text, shows_progress
from jina_components.cli.vectors import add_embedder_option, make_embedder
from jina_components.core.names import resolve_name
from jina_components.errors import ConfigError, InputError, ReadError
from jina_components.types import Classification, shorten

if TYPE_CHECKING:
    from jina_components.classifier import Classifier, Evaluation
    from jina_components.types.classified import Example, Labels

_EXAMPLES = (
    "texts and their labels: .jsonl, .csv or .tsv, each also .gz; .parquet; or - for JSON Lines on standard input"
)
_LABEL_FILES: Mapping[str, Callable[[str], Any]] = {".json": json.loads, ".txt": str.splitlines}


def add_commands(commands: Commands) -> None:
    """Add the commands of this group."""
    classify = add_command(
        commands, "classify", _classify,
        help="give each text one of the labels named, or of those a trained classifier knows",
        examples="""
            jina-components classify "The match ended in a draw." --labels sports,politics,science
            jina-components classify --file tickets.txt --labels-file labels.txt --threshold 0.5 --json
            cat lines.txt | jina-components classify --from my.classifier
        """,
    )  # fmt: skip
    classify.add_argument(
        "texts", nargs="*", metavar="TEXT", help="texts; without any, or with -, the lines of standard input"
    )
    classify.add_argument("--file", metavar="FILE", help="classify the lines of this file")
    classify.add_argument("--multi-label", action="store_true", help="any number of labels may hold")
    classify.add_argument("--json", action="store_true", help="one JSON object a text, with the scores of all labels")
    _add_label_options(classify)

    train = add_command(
        commands, "train-classifier", _train,
        help="train a classifier on examples; run again with others, it learns those too",
        examples="""
            jina-components train-classifier examples.jsonl --to my.classifier
            jina-components train-classifier more.csv --to my.classifier --column body --label-column topic
        """,
    )  # fmt: skip
    _add_example_options(train)
    train.add_argument("--to", required=True, type=Path, metavar="DIR", help="made if it is not there")
    train.add_argument(
        "--num-iters", type=int, default=10, metavar="N", help="how thoroughly it is fitted (default: %(default)s)"
    )
    train.add_argument(
        "--no-label-names", action="store_true", help="labels are codes, whose words mean nothing (default: they do)"
    )
    train.add_argument("--json", action="store_true", help="the summary as a JSON object")
    add_embedder_option(train)

    evaluate = add_command(
        commands, "evaluate-classifier", _evaluate,
        help="tell how well examples are given their labels",
        examples="""
            jina-components evaluate-classifier held-out.jsonl --from my.classifier
            jina-components evaluate-classifier held-out.jsonl --labels sports,politics,science --json
        """,
    )  # fmt: skip
    _add_example_options(evaluate)
    evaluate.add_argument("--json", action="store_true", help="the report as a JSON object")
    _add_label_options(evaluate)


def _add_example_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("examples", type=Path, metavar="EXAMPLES", help=_EXAMPLES)
    parser.add_argument("--column", default="text", metavar="NAME", help="of the texts (default: %(default)s)")
    parser.add_argument("--label-column", default="label", metavar="NAME", help="(default: %(default)s)")


def _add_label_options(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--labels", metavar="A,B,…", help="what to choose from: names that say what they mean")
    source.add_argument(
        "--labels-file",
        type=Path,
        metavar="FILE",
        help=".txt: labels, one a line; or .json: a list, or an object of descriptions",
    )
    source.add_argument(
        "--from", dest="directory", type=Path, metavar="DIR", help="made by `jina-components train-classifier`"
    )
    parser.add_argument("--threshold", type=float, metavar="P", help="give no label that is less probable, 0 to 1")
    parser.add_argument(
        "--template", action="append", metavar="TEXT",
        help="what labels are put into, in place of {}, such as 'Topic: {}' (may be repeated)",
    )  # fmt: skip
    add_embedder_option(parser)


def _classify(options: argparse.Namespace) -> int:
    if options.file and options.texts:
        raise ConfigError("classify takes texts, or the lines of --file: leave one out.")
    if options.texts and options.texts != ["-"]:
        texts = options.texts
    else:
        texts = [line for line in read_text(options.file or "-").splitlines() if line.strip()]
    if options.multi_label and options.directory:
        raise ConfigError("A trained classifier's labels exclude each other: --multi-label needs --labels.")
    with _classifier(options, multi_label=options.multi_label) as classifier:
        results = classifier.classify(texts, _labels(options), show_progress=shows_progress())
    for text, result in zip(texts, results, strict=True):
        if options.json:
            print_json(_as_json(text, result))
        else:
            labels = ", ".join(f"{label} {result.scores[label]:.3f}" for label in result.labels)
            print(f"{labels or '-'}\t{shorten(text, 200)}")
    return 0


def _as_json(text: str, result: Classification) -> dict[str, Any]:
    return {
        "text": text,
        "label": result.label,
        "score": round(result.score, 6),
        "labels": result.labels,
        "scores": {label: round(score, 6) for label, score in result.scores.items()},
    }


def _train(options: argparse.Namespace) -> int:
    from jina_components.classifier import Classifier

    examples = _read_examples(options)
    use_label_names = not options.no_label_names
    with (
        make_embedder(options) as embedder,
        Classifier(embedder, path=options.to, use_label_names=use_label_names) as classifier,
    ):
        training = classifier.train(examples, num_iters=options.num_iters, show_progress=shows_progress())
    if options.json:
        print_json(
            {
                "num_examples": training.num_examples,
                "labels": training.labels,
                "new_labels": training.new_labels,
                "version": training.version,
                "tokens": training.usage.total_tokens,
            }
        )
    else:
        print(
            f"{options.to}: learned {counted(training.num_examples, 'example')}, "
            f"knows {counted(len(training.labels), 'label')} "
            f"({len(training.new_labels)} new), version {training.version}"
        )
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    examples = _read_examples(options)
    with _classifier(options, multi_label=False) as classifier:
        report = classifier.evaluate(examples, _labels(options), show_progress=shows_progress())
    if options.json:
        print_json(_report_json(report))
    else:
        _print_report(report)
    return 0


def _report_json(report: Evaluation) -> dict[str, Any]:
    return {name: value for name, value in asdict(report).items() if name != "usage"}


def _print_report(report: Evaluation) -> None:
    print(
        f"accuracy {report.accuracy:.3f}, macro F1 {report.macro_f1:.3f}, "
        f"calibration error {report.calibration_error:.3f}, coverage {report.coverage:.3f}, "
        f"accuracy of covered {report.covered_accuracy:.3f}\n"
    )
    width = max(map(len, [*report.labels, "label"]))
    print(f"{'label':{width}}  precision  recall     F1  examples")
    for label, part in report.labels.items():
        print(f"{label:{width}}  {part.precision:9.3f}  {part.recall:6.3f}  {part.f1:5.3f}  {part.support:8}")
    for place, (label, given, count) in enumerate(report.confused(5)):
        print(f"{'' if place else chr(10)}{count} x {label}, taken for {given}")


@contextmanager
def _classifier(options: argparse.Namespace, *, multi_label: bool) -> Iterator[Classifier]:
    from jina_components.classifier import Classifier
    from jina_components.classifier.saved import SavedClassifier
    from jina_components.classifier.zero_shot import TEMPLATES

    if options.directory is not None and options.template:
        raise ConfigError("--template is for labels that are named with --labels: leave it out with --from.")
    if options.directory is not None and SavedClassifier(options.directory).stamp is None:
        raise ReadError(f"{options.directory} is no classifier: make it with train-classifier.", str(options.directory))
    with (
        make_embedder(options) as embedder,
        Classifier(
            embedder,
            path=options.directory,
            template=options.template or TEMPLATES,
            threshold=options.threshold,
            multi_label=multi_label,
        ) as classifier,
    ):
        yield classifier


def _labels(options: argparse.Namespace) -> Labels | None:
    if options.directory is not None:
        return None
    if options.labels is not None:
        return [label.strip() for label in options.labels.split(",")]
    return _read_labels(options.labels_file)


def _read_labels(path: Path) -> Labels:
    understand = resolve_name(_LABEL_FILES, path.suffix.lower(), what="kind of file for --labels-file")
    try:
        labels: Labels = understand(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.", str(path)) from error
    except ValueError as error:
        raise InputError(f"{path} is no JSON: {error}.") from error
    return labels


def _read_examples(options: argparse.Namespace) -> Sequence[Example]:
    from jina_components.scale.rows import BadRow, Columns, json_lines, parse, raw_rows
    from jina_components.types.classified import Example

    columns = Columns(options.column, options.label_column)
    is_piped = str(options.examples) == "-"
    place = "standard input" if is_piped else options.examples
    examples = []
    for raw in json_lines(sys.stdin.buffer) if is_piped else raw_rows(options.examples, columns):
        row = parse(raw, columns)
        if isinstance(row, BadRow):
            raise InputError(f"{place}, row at line {row.number}: {row.reason}")
        examples.append(Example(row.text, row.id))
    if not examples:
        raise InputError(f"{place} holds no examples.")
    return examples
