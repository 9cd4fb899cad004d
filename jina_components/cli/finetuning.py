"""`finetune`: a better embedder or reranker for one's own documents, with proof."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from jina_components.cli.common import (
    Commands,
    add_chat_options,
    add_command,
    make_chat,
    make_reader,
    print_json,
    shows_progress,
    tell,
)
from jina_components.cli.finetune_sources import add_source_options, documents, make_search
from jina_components.core.durable import write_file
from jina_components.errors import BusyError, ConfigError
from jina_components.models.catalog import DEFAULT_EMBEDDER

if TYPE_CHECKING:
    from jina_components.fine_tuner.compare import Comparison
    from jina_components.fine_tuner.fine_tuner import FineTuner
    from jina_components.fine_tuner.fit import FitProgress, FitResult
    from jina_components.fine_tuner.judged import JudgedQuestions
    from jina_components.fine_tuner.settings import FitSettings
    from jina_components.fine_tuner.triplets import Triplets

_EXIT_CODES = """
    0  the tuned model is better: the whole interval of its gain in nDCG@10 is above 0
    1  it is not, or there is no proof
    2  wrong usage or input, or a failure; standard error says what
    3  it is better, but some sources could not be read; standard error lists them
    130  interrupted; the same command goes on from there
"""
# Fields of the settings of a fit, how they are read, and what they are.
_FIT: dict[str, tuple[type, str]] = {
    "epochs": (float, "times that each question is shown"),
    "max_steps": (int, "steps, at most"),
    "batch": (int, "questions of a step"),
    "rate": (float, "learning rate"),
    "hidden": (int, "width of the layer that is fitted on top of an embedder; 0 fits its own weights"),
    "lora": (int, "rank of LoRA's matrices beside the model's own weights; 0 fits these"),
    "max_tokens": (int, "tokens that texts are cut to"),
}
# Those of a synthesis.
_SYNTHESIS: dict[str, tuple[type, str]] = {
    "questions": (int, "questions of a passage, at most"),
    "most": (int, "questions in all, at most"),
}
_TOLD_SECONDS = 1.0  # between two lines of --json about steps
# Of the folder of `run`.
_TRIPLETS, _MODEL, _REPORT, _WORK, _RUN, _LOCK = "triplets", "model", "report", "work", "run.json", "run.lock"


def add_commands(commands: Commands) -> None:
    """Add the commands of this group."""
    about = "make a model better at finding your documents, and prove it"
    finetune = commands.add_parser("finetune", help=about, description=f"{about[0].upper()}{about[1:]}.")
    actions = finetune.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_run(actions)
    _add_synthesize(actions)
    _add_fit(actions)
    _add_evaluate(actions)


def _add_run(actions: Commands) -> None:
    run = add_command(
        actions, "run", _run,
        help="make questions of documents, fit a model to them, and compare it with what it was; run again, it goes on",
        examples="""
            jina-components finetune run docs/ manual.pdf --to tuned
            jina-components finetune run https://example.com/docs --to tuned --chat-model llama3.1 --chat-url URL
            jina-components finetune run answers.jsonl --to tuned --questions-from judged/ --base static-minilm-v1
        """,
        exit_codes=_EXIT_CODES,
    )  # fmt: skip
    add_source_options(run)
    run.add_argument(
        "--to", required=True, type=Path, metavar="DIR",
        help=f"made if it is not there: {_TRIPLETS}/, {_MODEL}/ and {_REPORT}.html in it",
    )  # fmt: skip
    _add_synthesis_options(run)
    _add_fit_options(run)
    _add_measure_options(run)
    _add_output_options(run)


def _add_synthesize(actions: Commands) -> None:
    synthesize = add_command(
        actions, "synthesize", _synthesize,
        help="make questions of documents, with passages that answer them and some that only look as if",
        examples="""
            jina-components finetune synthesize docs/ --to triplets
            jina-components finetune synthesize --domain "sailing for beginners" --web ddgs --to triplets
        """,
    )  # fmt: skip
    add_source_options(synthesize)
    synthesize.add_argument("--to", required=True, type=Path, metavar="DIR", help="a new folder of JSON Lines")
    _add_base(synthesize)
    _add_synthesis_options(synthesize)
    _add_output_options(synthesize)


def _add_fit(actions: Commands) -> None:
    fit = add_command(
        actions, "fit", _fit,
        help="fit a model to triplets; run again after a stop, it goes on from its last checkpoint",
        examples="""
            jina-components finetune fit triplets --to tuned
            jina-components finetune fit triplets --to tuned --base small-cross-encoder-v1 --max-steps 500
        """,
    )  # fmt: skip
    fit.add_argument("triplets", type=Path, metavar="TRIPLETS", help="made by `finetune synthesize`")
    fit.add_argument("--to", required=True, type=Path, metavar="DIR", help="of the model")
    _add_fit_options(fit)
    _add_output_options(fit)


def _add_evaluate(actions: Commands) -> None:
    evaluate = add_command(
        actions, "evaluate", _evaluate,
        help="tell whether a model is better than another, with intervals",
        examples="""
            jina-components finetune evaluate small-embedding-v1 tuned --questions-from triplets --report report.html
            jina-components finetune evaluate small-embedding-v1 tuned --questions-from judged --elsewhere general
        """,
        exit_codes=_EXIT_CODES,
    )  # fmt: skip
    for name in ("before", "after"):
        evaluate.add_argument(name, metavar=name.upper(), help="catalog name, folder or hub id")
    _add_measure_options(evaluate, needs_questions=True)
    evaluate.add_argument(
        "--trained-on", type=Path, metavar="TRIPLETS",
        help="what the model was fitted to: no question of it may be measured with",
    )  # fmt: skip
    evaluate.add_argument("--report", type=Path, metavar="FILE", help="write it as .html, .svg or .json")
    _add_output_options(evaluate)


def _add_base(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--base", default=DEFAULT_EMBEDDER, metavar="MODEL",
        help="embedder or cross-encoder to begin with: catalog name, folder or hub id (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all that is drawn (default: %(default)s)")


def _add_synthesis_options(parser: argparse.ArgumentParser) -> None:
    made = parser.add_argument_group("questions")
    for name, (kind, what) in _SYNTHESIS.items():
        made.add_argument(_flag(name), type=kind, metavar="N", help=what)
    add_chat_options(made, help="let this chat model ask the questions; without one, rules find them in the text")


def _add_fit_options(parser: argparse.ArgumentParser) -> None:
    _add_base(parser)
    fitting = parser.add_argument_group("fitting")
    for name, (kind, what) in _FIT.items():
        fitting.add_argument(_flag(name), type=kind, metavar="N", help=f"{what} (default: by the kind of model)")
    fitting.add_argument("--device", default="auto", help="such as cpu or cuda (default: %(default)s)")


def _add_measure_options(parser: argparse.ArgumentParser, *, needs_questions: bool = False) -> None:
    measured = parser.add_argument_group("measuring")
    measured.add_argument(
        "--questions-from", type=Path, required=needs_questions, metavar="DIR",
        help="triplets, whose test questions are asked; or real questions in BEIR's layout"
        + ("" if needs_questions else " (default: those made here, of documents that are not learned from)"),
    )  # fmt: skip
    measured.add_argument(
        "--elsewhere", type=Path, metavar="DIR", help="other questions in BEIR's layout: what the change costs there"
    )

    measured.add_argument(
        "--leave-out-seen", action="store_true",
        help="leave questions out that were trained with; without it they are an error",
    )  # fmt: skip


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="do not tell on standard error what is done")
    parser.add_argument("--json", action="store_true", help="a JSON object a line: what is done, while it is done")


def _run(options: argparse.Namespace) -> int:
    with _folder(options), _tuner(options) as tuner:
        triplets, failed = _triplets(tuner, options, options.to / _TRIPLETS, options.to / _WORK)
        result = _fitted(tuner, triplets, options, options.to / _MODEL)
        questions, elsewhere = _measured(options, triplets)
        comparison = tuner.evaluate(
            options.base,
            result.path,
            questions,
            elsewhere=elsewhere,
            trained_on=triplets,
            show_progress=_draws(options),
        )
    for suffix in ("html", "json"):
        comparison.save(options.to / f"{_REPORT}.{suffix}")
    return _finish(comparison, options, model=result.path, failed=failed)


def _synthesize(options: argparse.Namespace) -> int:
    with _tuner(options) as tuner:
        _, failed = _triplets(tuner, options, options.to, options.to.with_name(f"{options.to.name}.work"))
    return 3 if failed else 0


def _fit(options: argparse.Namespace) -> int:
    from jina_components.fine_tuner.fine_tuner import FineTuner
    from jina_components.fine_tuner.triplets import Triplets

    tuner = FineTuner(options.base, seed=options.seed)
    _fitted(tuner, Triplets.load(options.triplets), options, options.to)
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from jina_components.fine_tuner.compare import evaluate
    from jina_components.fine_tuner.triplets import Triplets

    home = options.trained_on or (options.questions_from if _holds_triplets(options.questions_from) else None)
    trained_on = None if home is None else Triplets.load(home)
    questions, elsewhere = _measured(options, trained_on)
    comparison = evaluate(
        options.before,
        options.after,
        questions,
        elsewhere=elsewhere,
        trained_on=trained_on,
        show_progress=_draws(options),
    )
    if options.report is not None:
        comparison.save(options.report)
    return _finish(comparison, options, model=Path(options.after), failed=False)


@contextmanager
def _tuner(options: argparse.Namespace) -> Iterator[FineTuner]:
    from jina_components.fine_tuner.fine_tuner import FineTuner

    with make_reader(options) as reader, make_search(options, reader) as search:
        yield FineTuner(options.base, chat=make_chat(options), reader=reader, search=search, seed=options.seed)


def _triplets(tuner: FineTuner, options: argparse.Namespace, to: Path, work: Path) -> tuple[Triplets, bool]:
    """The triplets in a folder, made where they are not there, and whether a source of theirs could not be read."""
    from jina_components.fine_tuner.synthesize import SynthesisSettings
    from jina_components.fine_tuner.triplets import Triplets
    from jina_components.segmenter import Segmenter

    if to.exists():
        triplets, failed = Triplets.load(to), False
    else:
        tell(options, "reading the sources")
        source, failed = documents(options)
        tell(options, "making questions")
        settings = SynthesisSettings(**_given(options, _SYNTHESIS))
        triplets = tuner.synthesize(source, settings=settings, work=work, show_progress=_draws(options))
        to.parent.mkdir(parents=True, exist_ok=True)
        triplets.save(to)
    counts = {split: len(getattr(triplets, split)) for split in ("train", "dev", "test")}
    if options.json:
        with Segmenter() as segmenter:
            tokens = sum(segmenter.count(passage.text) for passage in triplets.passages.values())
        _tell_json("synthesize", passages=len(triplets.passages), tokens=tokens, **counts)
    tell(options, f"{to}: {triplets!r}")
    return triplets, failed


def _fitted(tuner: FineTuner, triplets: Triplets, options: argparse.Namespace, to: Path) -> FitResult:
    told_at = -_TOLD_SECONDS

    def progress(now: FitProgress) -> None:
        nonlocal told_at
        if options.json and (now.dev or time.monotonic() - told_at >= _TOLD_SECONDS):
            told_at = time.monotonic()
            _tell_json("fit", step=now.step, steps=now.steps, losses=dict(now.losses), dev=dict(now.dev))

    tell(options, f"fitting {options.base}")
    result = tuner.fit(
        triplets,
        to,
        settings=_settings(options),
        device=options.device,
        progress=progress,
        show_progress=_draws(options),
    )
    if options.json:
        _tell_json("fitted", steps=result.steps, best_step=result.best_step, seconds=result.seconds)
    tell(options, f"{to}: best after step {result.best_step} of {result.steps}")
    return result


def _finish(comparison: Comparison, options: argparse.Namespace, *, model: Path, failed: bool) -> int:
    """Tell the verdict, and give the exit code that it has."""
    if options.json:
        _tell_json("compared", **comparison.as_json())
    else:
        print(comparison)
        if comparison.verdict == "better":
            print(f"\n{model} is better than {comparison.before} at this.")
        else:
            print(f"\nKeep {comparison.before}: that {model} is better is not proven.")
    if comparison.verdict != "better":
        return 1
    return 3 if failed else 0


def _measured(
    options: argparse.Namespace, trained_on: Triplets | None
) -> tuple[JudgedQuestions, JudgedQuestions | None]:
    """The questions to measure with, and those of elsewhere."""
    from jina_components.fine_tuner.judged import JudgedQuestions
    from jina_components.fine_tuner.triplets import Triplets

    def read(folder: Path) -> JudgedQuestions:
        return JudgedQuestions.of(Triplets.load(folder)) if _holds_triplets(folder) else JudgedQuestions.load(folder)

    folder: Path = options.questions_from or options.to / _TRIPLETS
    found = [read(folder), *([] if options.elsewhere is None else [read(options.elsewhere)])]
    if options.leave_out_seen and trained_on is not None:
        found = [questions.without(trained_on) for questions in found]
    return found[0], found[1] if len(found) > 1 else None


def _holds_triplets(folder: Path) -> bool:
    return (folder / "passages.jsonl").is_file()


def _settings(options: argparse.Namespace) -> FitSettings:
    from jina_components.fine_tuner.settings import FitSettings

    return FitSettings(**_given(options, _FIT))


def _given(options: argparse.Namespace, fields: Sequence[str] | dict[str, Any]) -> dict[str, Any]:
    return {name: value for name in fields if (value := getattr(options, name)) is not None}


@contextmanager
def _folder(options: argparse.Namespace) -> Iterator[None]:
    """Keep others from the folder, and note what is asked for, so that nothing else is gone on with later.

    Raises:
        BusyError: another process works in it.
        ConfigError: it was begun for something else.
    """
    there = {path.name for path in options.to.iterdir()} if options.to.is_dir() else set()
    if there - {_LOCK} and _RUN not in there:
        raise ConfigError(f"{options.to} holds something else: name another folder with --to.")
    options.to.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(options.to / _LOCK, timeout=0):
            _check_same(options)
            yield
    except Timeout as error:
        raise BusyError(f"Another process works in {options.to}: wait for it, or name another folder.") from error


def _check_same(options: argparse.Namespace) -> None:
    names = ("sources", "domain", "base", "seed", "chat_model", *_SYNTHESIS, *_FIT)
    asked = json.loads(json.dumps({name: getattr(options, name) for name in names}))
    note = options.to / _RUN
    if note.is_file():
        begun = json.loads(note.read_text(encoding="utf-8"))
        other = [name for name in names if begun.get(name) != asked[name]]
        if other:
            told = ", ".join(f"{name} {begun.get(name)!r}" for name in other)
            raise ConfigError(f"{options.to} was begun with {told}: go on with that, or name another folder with --to.")
        return
    write_file(note, lambda file: file.write(json.dumps(asked, indent=2).encode()))


def _tell_json(stage: str, **facts: Any) -> None:  # noqa: ANN401 (JSON values)
    print_json({"stage": stage, **facts})
    sys.stdout.flush()  # whoever reads it waits


def _draws(options: argparse.Namespace) -> bool:
    return shows_progress() and not options.quiet


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
