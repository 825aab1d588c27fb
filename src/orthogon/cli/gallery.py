"""`gallery`: add, update, remove, identify, verify, list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from orthogon.cli import complete
from orthogon.cli.shell import Debug, Json, Root, emit, page, quiet_stdout

if TYPE_CHECKING:
    from orthogon.serve.gallery_answers import Answers, Change, Listing

app = typer.Typer(
    name="gallery",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Know again whom, or what, a picture shows, among those that were put in.\n\n"
    "A trained network turns each picture into an encoding: some numbers that lie close together for two pictures of "
    "the same. The gallery keeps encodings, whose they are and a hash of each picture; never the picture. So a new "
    "person needs one picture, and no training.\n\n"
    "Train it for that, [bold]orthogon train faces/ --task verify[/bold]; the encodings of any classifier do as well. "
    "Then, with a folder for each person (faces/anna/1.jpg, faces/ben/1.jpg):\n\n"
    "[bold]orthogon gallery add faces/[/bold]\n\n"
    "[bold]orthogon gallery identify door.jpg[/bold]  who is it, or unknown? (1:K)\n\n"
    "[bold]orthogon gallery verify door.jpg --identity anna[/bold]  is it she? (1:1)",
)

Pictures = Annotated[list[str], Argument(
    metavar="PICTURE...", help="Pictures or folders of them; or one data set: a table of files, a public name."
)]
Where = Annotated[str, Option("--gallery", metavar="FILE", help="The file of the gallery.")]
Encoder = Annotated[str | None, Option(
    "--run", metavar="RUN", show_default="that of the gallery; of a new one the last run", autocompletion=complete.runs,
    help="Whose network encodes: a path, a name, last or last~1.",
)]
Whose = Annotated[str | None, Option(
    "--identity", metavar="NAME", show_default="the first folder below the one that is given",
    help="Whose all these pictures are.",
)]
Distance = Annotated[float | None, Option(
    "--threshold", metavar="DISTANCE", show_default="shipped with the network, or measured on the gallery",
    help="Up to which distance a picture is taken for an identity.",
)]
Share = Annotated[float | None, Option(
    "--false-accepts", metavar="SHARE", min=0, max=0.5, show_default="as the network was made for, or 0.01",
    help="Measure the threshold on the gallery: it may let this share of strangers pass.",
)]


@app.command()
def add(
    pictures: Pictures, identity: Whose = None, gallery: Where = "gallery.sqlite", run: Encoder = None,
    out: Root = "runs", json: Json = False, debug: Debug = False,
) -> None:
    """Add pictures; whose they are is the name of their folder, or --identity.

    The same content is not added twice. An interrupted call can be repeated: it goes on with the rest.

    orthogon gallery add faces/ · orthogon gallery add new.jpg --identity anna
    """
    with quiet_stdout(json):
        from orthogon.verbs.gallery import gallery as verb

        change = verb(gallery, run, root=out).add(pictures, identity)
    _said(change, json)


@app.command()
def update(
    pictures: Pictures, identity: Whose = None, gallery: Where = "gallery.sqlite", run: Encoder = None,
    out: Root = "runs", json: Json = False, debug: Debug = False,
) -> None:
    """Let each identity that is given hold these pictures and no others.

    Its other pictures are removed, and pictures that were another's move to it.

    orthogon gallery update faces/anna/ --identity anna
    """
    with quiet_stdout(json):
        from orthogon.verbs.gallery import gallery as verb

        change = verb(gallery, run, root=out).update(pictures, identity)
    _said(change, json)


@app.command()
def remove(
    what: Annotated[list[str], Argument(
        metavar="NAME|HASH...", help="Identities, or pictures by the first digits of their hash (see list)."
    )],
    gallery: Where = "gallery.sqlite", json: Json = False, debug: Debug = False,
) -> None:
    """Remove identities with all their pictures, or single pictures; what is removed is overwritten.

    orthogon gallery remove anna · orthogon gallery remove 5f2a91c07d
    """
    with quiet_stdout(json):
        from orthogon.verbs.gallery import gallery as verb

        change = verb(gallery).remove(*what)
    _said(change, json)


@app.command()
def identify(
    pictures: Pictures, threshold: Distance = None, false_accepts: Share = None,
    most: Annotated[int, Option("--most", metavar="N", min=1, help="How many identities are named.")] = 3,
    gallery: Where = "gallery.sqlite", run: Encoder = None, out: Root = "runs", json: Json = False,
    debug: Debug = False,
) -> None:
    """Who is in these pictures: the nearest identity, or unknown where even that is too far (1:K).

    orthogon gallery identify door.jpg · orthogon gallery identify album/ --false-accepts 0.001
    """
    with quiet_stdout(json):
        from orthogon.verbs.gallery import gallery as verb

        answers = verb(gallery, run, root=out).identify(
            pictures, threshold=threshold, false_accepts=false_accepts, most=most)
    _said(answers, json)


@app.command()
def verify(
    pictures: Pictures,
    identity: Annotated[str, Option("--identity", metavar="NAME", help="Whom they are said to show.")],
    threshold: Distance = None, false_accepts: Share = None, gallery: Where = "gallery.sqlite", run: Encoder = None,
    out: Root = "runs", json: Json = False, debug: Debug = False,
) -> None:
    """Whether pictures show a certain one (1:1): easier than to find out whom they show.

    orthogon gallery verify door.jpg --identity anna
    """
    with quiet_stdout(json):
        from orthogon.verbs.gallery import gallery as verb

        answers = verb(gallery, run, root=out).verify(
            pictures, identity, threshold=threshold, false_accepts=false_accepts)
    _said(answers, json)


@app.command("list")
def list_(
    identity: Annotated[str | None, Argument(
        metavar="[NAME]", show_default=False, help="The pictures of this one, by hash."
    )] = None,
    gallery: Where = "gallery.sqlite", json: Json = False, debug: Debug = False,
) -> None:
    """Who is in the gallery, with how many pictures; or the pictures of one.

    orthogon gallery list · orthogon gallery list anna
    """
    with quiet_stdout(json):
        from orthogon.verbs.gallery import gallery as verb

        found = verb(gallery).list(identity)
    _said(found, json)


def _said(found: Answers | Change | Listing, json: bool) -> None:
    emit(found.to_dict()) if json else page(str(found))
