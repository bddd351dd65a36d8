"""`lrc export` and `lrc web`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from .common import DataDir, OrtWeb, Quiet


def export(
    run: Annotated[
        list[Path], typer.Argument(help="Finished run folders; several share their backbone.", metavar="RUN...")
    ],
    out: Annotated[Path, typer.Option(help="Bundle folder to write, or one file whose name ends in .lrc.")],
    precision: Annotated[
        str | None,
        typer.Option(
            help="int8: 8-bit products, the default. int4: 4-bit weights, half the size, twice the time. fp16:"
            " everything in float16, for GPUs. fp32: as it was trained."
        ),
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="The same as --precision int8.")] = False,
    int4: Annotated[bool, typer.Option("--int4", help="The same as --precision int4.")] = False,
    fp16: Annotated[bool, typer.Option("--fp16", help="The same as --precision fp16.")] = False,
    fp32: Annotated[bool, typer.Option("--fp32", help="The same as --precision fp32.")] = False,
    static: Annotated[bool, typer.Option("--static", help="Scales of int8 activations by calibration.")] = False,
    langs: Annotated[
        str | None, typer.Option(help="Languages it serves, all for a whole vocabulary; default the run's.")
    ] = None,
    corpus: Annotated[
        list[str] | None,
        typer.Option(help="More text to count pieces in, beside the labels; {lang} for each language."),
    ] = None,
    pieces: Annotated[int | None, typer.Option(help="Pieces to keep; default 10,000 a language.", min=1)] = None,
    table_bits: Annotated[Literal["2", "4", "8"], typer.Option(help="Bits of the embedding table's rows.")] = "2",
    gate_data: Annotated[
        str | None, typer.Option(help="Labels for the gate; {lang} for each language; default the run's dev.")
    ] = None,
    max_drop: Annotated[
        float | None, typer.Option(help="Points a language may lose; default 1.0 F1, 0.5 accuracy.", min=0)
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="Leave out a pass, as vocabulary, fusion, smoothing, gate.")
    ] = None,
    script: Annotated[
        list[str] | None, typer.Option(help="Script of a language that lrc does not know, as xyz=Latn; repeatable.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Write the bundle although a language loses more.")] = False,
    explain: Annotated[bool, typer.Option(help="Print what each pass did and took.")] = False,
    target: Annotated[
        Literal["bundle", "web"], typer.Option(help="A bundle, or a folder that answers in a browser alone.")
    ] = "bundle",
    ort_web: OrtWeb = None,
    data_dir: DataDir = None,
    quiet: Quiet = False,
) -> None:
    """Compile runs into a bundle: lowered, exported, quantised, proved."""
    from ..config.asked import split_langs
    from ..errors import UserError
    from ..lowering.export import export_runs
    from ..lowering.ort_web import find_engine
    from .tables import pass_table, score_table

    asked: dict[str, str] = {f"precision {precision}": precision} if precision else {}
    asked |= {name: name for name, given in (("int8", int8), ("int4", int4), ("fp16", fp16), ("fp32", fp32)) if given}
    if len({*asked.values()}) > 1:
        raise UserError(f"{' '.join(f'--{name}' for name in asked)}: choose one")
    if ort_web is not None and target != "web":
        raise UserError("--ort-web: is for --target web")
    result = export_runs(
        run,
        out,
        precision=next(iter(asked.values()), "int8"),
        static=static,
        langs=split_langs(langs),
        corpus=corpus or [],
        pieces=pieces,
        table_bits=int(table_bits),
        gate_data=gate_data,
        max_drop=max_drop,
        without=without or [],
        force=force,
        data_dir=data_dir,
        engine=find_engine(ort_web) if target == "web" else None,
        script=script or [],
    )
    if explain:
        pass_table(result.passes)
    for manifest in result.manifests:
        for which in dict.fromkeys(("run", "fp32", manifest.precision)):
            if manifest.metrics.get(which):
                score_table(f"{manifest.training['task']}: dev examples, {which}", manifest.metrics[which])


def web(
    bundle: Annotated[Path, typer.Argument(help="A bundle.", metavar="BUNDLE")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    ort_web: OrtWeb = None,
    quiet: Quiet = False,
) -> None:
    """Make of a bundle a folder of static files that answers in a browser alone."""
    from ..lowering.ort_web import web_folder

    web_folder(bundle, out, ort_web)
