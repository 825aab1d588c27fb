"""Named public data sets: found in $ORTHOGON_DATA, or fetched, verified and kept in the cache."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from orthogon.data import cells, dates, digits, omniglot, parallel, public_loaders, shapes
from orthogon.data.dataset import Card, Dataset
from orthogon.data.download import fetch, sha256_of
from orthogon.data.picture_cache import cache_root
from orthogon.errors import DataError, nearest


@dataclass(frozen=True)
class PublicFile:
    """One file of a public set.

    name, address, sha256, bytes: as it lies at its address.
    also: the same content under another name or packing, as (name, SHA-256): taken where $ORTHOGON_DATA has it.
    """

    name: str
    address: str
    sha256: str
    bytes: int
    also: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Public:
    """A named data set.

    folder: its name below $ORTHOGON_DATA; "" for sets that come with the software.
    loader: folder -> Dataset, without name, card and origin.
    """

    name: str
    title: str
    loader: Callable[[Path], Dataset]
    licence: str
    citation: str
    notes: tuple[str, ...] = ()
    address: str = ""
    folder: str = ""
    files: tuple[PublicFile, ...] = ()

    @property
    def card(self) -> Card:
        return Card(self.title, self.address, self.licence, self.citation, self.notes)

    @property
    def bundled(self) -> bool:
        return not self.files


_UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases"
_FASHION = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion"
_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist"
_OMNIGLOT = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
_EWT = "https://raw.githubusercontent.com/UniversalDependencies/UD_English-EWT/15d613d8447b"
_WNUT = "https://raw.githubusercontent.com/leondz/emerging_entities_17/e52a2d2a71ac"
_WRITERS = (
    "The digits come from few writers (13 of the 43 who gave the whole collection), who are not named in the data: a "
    "random split puts every writer on both sides, so a score says little about people whose hand it has not seen."
)
_DIGITS = (
    "E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998; the "
    "test part, as distributed with scikit-learn"
)

SETS: dict[str, Public] = {
    each.name: each
    for each in (
        Public(
            "digits", "1,797 handwritten digits, 8×8, grey (comes with the software)", lambda _: digits.load(),
            "CC BY 4.0", _DIGITS, (_WRITERS,), "https://archive.ics.uci.edu/dataset/80",
        ),
        Public(
            "digits-tilted", "the digits; half of them as if held askew before a phone: a data mismatch to learn on",
            lambda _: digits.load_tilted(), "CC BY 4.0", _DIGITS,
            (_WRITERS, "Made here: source 'phone' is turned by up to ±35°, sheared and scaled; 'scanner' is "
             "as it was. Dev and test are meant to come from the phone (target_source=phone)."),
            "https://archive.ics.uci.edu/dataset/80",
        ),
        Public(
            "shapes", "3,000 drawn darts, kites and triangles, 64×64, with boxes and named corners; a tenth is empty",
            lambda _: shapes.shapes(), "CC0", "made by Orthogon",
            ("Made here by a fixed seed: of every corner it is known which one it is and where.",),
        ),
        Public(
            "cells", "400 pictures of cells, 96×96, grey, with masks: made by a fixed seed", lambda _: cells.load(),
            "CC0", "made by Orthogon",
            ("Made here, not photographed: overlapping cells, debris, noise and uneven light. A score on it says that "
             "a network can learn such pictures, nothing about a microscope.",),
        ),
        Public(
            "dates", "20,000 dates as people write them in 12 languages, to be written as 2014-05-03",
            lambda _: dates.dates(), "CC0", "made by Orthogon",
            ("Made here by a fixed seed. The source of an example is the pattern that it is written in.",
             "Days from 1950 to 2049; days of dev and test are not in train. Numbers alone are never month first."),
        ),
        Public(
            "dates-unseen", "2,000 dates in ways of writing that dates does not hold", lambda _: dates.unseen(), "CC0",
            "made by Orthogon",
            ("To be evaluated on by a network that has learnt dates.",),
        ),
        Public(
            "fashion-mnist", "70,000 pictures of clothing, 28×28, grey, 10 classes",
            public_loaders.fashion_mnist, "MIT",
            "H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning "
            "Algorithms, arXiv:1708.07747, 2017",
            ("Shirt, T-shirt/top, Pullover and Coat overlap, and some labels are wrong: some error will remain.",),
            "https://github.com/zalandoresearch/fashion-mnist", "fashion_mnist",
            (
                PublicFile("train-images-idx3-ubyte.gz", f"{_FASHION}/train-images-idx3-ubyte.gz",
                           "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", 26421880),
                PublicFile("train-labels-idx1-ubyte.gz", f"{_FASHION}/train-labels-idx1-ubyte.gz",
                           "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29515),
                PublicFile("t10k-images-idx3-ubyte.gz", f"{_FASHION}/t10k-images-idx3-ubyte.gz",
                           "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", 4422102),
                PublicFile("t10k-labels-idx1-ubyte.gz", f"{_FASHION}/t10k-labels-idx1-ubyte.gz",
                           "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5148),
            ),
        ),
        # `also`: the same pixels and labels, packed anew (gzip -9 -n).
        Public(
            "mnist", "70,000 handwritten digits, 28×28, grey", public_loaders.idx, "CC BY-SA 3.0",
            "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-based learning applied to document recognition, "
            "Proc. IEEE 86(11), 1998",
            ("No writer is in both parts (about 250 wrote the train part). A few test labels are wrong.",),
            "http://yann.lecun.com/exdb/mnist/", "mnist",
            (
                PublicFile("train-images-idx3-ubyte.gz", f"{_MNIST}/train-images-idx3-ubyte.gz",
                           "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9912422,
                           (("train-images-idx3-ubyte.gz",
                             "0b367032e93c5d0cea0925647cfdb18614af8ee15f83e6f2fc2ad904a6835971"),)),
                PublicFile("train-labels-idx1-ubyte.gz", f"{_MNIST}/train-labels-idx1-ubyte.gz",
                           "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28881,
                           (("train-labels-idx1-ubyte.gz",
                             "1787548bbe0bff1ec2ecdc0ef292b02df999e2d1a6002d27500982c652b17203"),)),
                PublicFile("t10k-images-idx3-ubyte.gz", f"{_MNIST}/t10k-images-idx3-ubyte.gz",
                           "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1648877,
                           (("t10k-images-idx3-ubyte.gz",
                             "1a1a05eab793c14bb050b398624a11b0ffd1a2953baed553b1b9bd079e2a20be"),)),
                PublicFile("t10k-labels-idx1-ubyte.gz", f"{_MNIST}/t10k-labels-idx1-ubyte.gz",
                           "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4542,
                           (("t10k-labels-idx1-ubyte.gz",
                             "b91679a0acfe4ba0e50a2437a903084cba1f5f92592b016a25a7dfd00455798b"),)),
            ),
        ),
        Public(
            "omniglot", "4,840 characters of 8 alphabets, each of 242 drawn by 20 people, 105×105: which are the same?",
            omniglot.load, "MIT",
            "B. M. Lake, R. Salakhutdinov, J. B. Tenenbaum, Human-level concept learning through probabilistic program "
            "induction, Science 350, 2015",
            ("The two small background sets; the full one of 30 alphabets is larger. Characters of one alphabet are "
             "told apart less easily than those of two, and most pairs here are of two.",
             "Ink is white here and black in the files.",
             "The same 20 people drew all characters of an alphabet: new characters in dev are in known hands."),
            "https://github.com/brendenlake/omniglot", "omniglot_small",
            (
                PublicFile("images_background_small1.zip", f"{_OMNIGLOT}/images_background_small1.zip",
                           "f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4", 1319022),
                PublicFile("images_background_small2.zip", f"{_OMNIGLOT}/images_background_small2.zip",
                           "3ccaa407515a8778e5d0861875af38b17e418f301ad5bb3b5a6b65d901a41c7f", 1580917),
                PublicFile("all_runs.zip", f"{_OMNIGLOT}/one-shot-classification/all_runs.zip",
                           "437c1eeab0af8484112e1b4cc0f3d541ec727f7c47b9b202da738af9dfd6c325", 352787),
            ),
        ),
        # `also`: the train part is the same text, packed; the test part is without its first line, a remark.
        Public(
            "adult", "48,842 people of the 1994 census: is the income above 50,000 dollars?", public_loaders.adult,
            "CC BY 4.0", "B. Becker, R. Kohavi, Adult, UCI Machine Learning Repository, 1996",
            ("The column fnlwgt is a sampling weight of the census, not a trait of the person.",
             "education and education-num say the same thing twice.",
             "It records sex, race and origin, and the inequality of 1994: not for decisions about people."),
            "https://archive.ics.uci.edu/dataset/2", "uci_tables",
            (
                PublicFile("adult.data", f"{_UCI}/adult/adult.data",
                           "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d", 3974305,
                           (("adult-train.csv.gz",
                             "171e93e0be014947c678f8e0fd17485ec99e8c273d1a7a0b506bb9139e95800b"),)),
                PublicFile("adult.test", f"{_UCI}/adult/adult.test",
                           "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05", 2003153,
                           (("adult-test.csv.gz",
                             "1f463d13207c2309afd36957e5dc547973934dd2cc22214907fda590810d9e32"),)),
            ),
        ),
        # `also`: the same values with commas, whole numbers without ".0", and no line of names.
        Public(
            "wine-quality", "6,497 Portuguese wines, 11 measurements and the colour: how good do tasters find them?",
            public_loaders.wine_quality, "CC BY 4.0",
            "P. Cortez, A. Cerdeira, F. Almeida, T. Matos, J. Reis, Modeling wine preferences by data mining from "
            "physicochemical properties, Decision Support Systems 47(4), 2009",
            ("1,177 rows are copies of others: a random split puts copies on both sides.",
             "Grades are whole numbers from 3 to 9, the median of at least three tasters; few are far from 6."),
            "https://archive.ics.uci.edu/dataset/186", "uci_tables",
            (
                PublicFile("winequality-red.csv", f"{_UCI}/wine-quality/winequality-red.csv",
                           "4a402cf041b025d4566d954c3b9ba8635a3a8a01e039005d97d6a710278cf05e", 84199,
                           (("winequality-red.csv",
                             "c9614512e980f1cbd221c796daa97f00c4898c3cd1716863abac60f6cd1a522e"),)),
                PublicFile("winequality-white.csv", f"{_UCI}/wine-quality/winequality-white.csv",
                           "76c3f809815c17c07212622f776311faeb31e87610d52c26d87d6e361b169836", 264426,
                           (("winequality-white.csv.gz",
                             "39c3a35d44b7b0de7deb3420a44b4873307e49cd26985e51899e6d1aa65d4998"),)),
            ),
        ),
        Public(
            "names", "32,033 given names, a line each", public_loaders.names, "MIT",
            "U.S. Social Security Administration, as collected by A. Karpathy in makemore, 2022",
            ("Names of one country. Many differ by a letter or two: what a model writes is often one of them.",),
            "https://github.com/karpathy/makemore", "names",
            (
                PublicFile("names.txt", "https://raw.githubusercontent.com/karpathy/makemore/988aa59/names.txt",
                           "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d", 228145),
            ),
        ),
        Public(
            "tinyshakespeare", "40,000 lines of Shakespeare's plays, one running text", public_loaders.running_text,
            "public domain", "W. Shakespeare, as collected by A. Karpathy in char-rnn, 2015",
            ("The end of it is other plays than the beginning: what is held out is harder than what is left out.",),
            "https://github.com/karpathy/char-rnn", "tinyshakespeare",
            (
                PublicFile("input.txt", "https://raw.githubusercontent.com/karpathy/char-rnn/6f9487a/data/"
                           "tinyshakespeare/input.txt",
                           "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed", 1115394),
            ),
        ),
        Public(
            "english-ewt", "16,622 English sentences from the web with their parts of speech", public_loaders.sentences,
            "CC BY-SA 4.0", "N. Silveira et al., A Gold Standard Dependency Corpus for English, LREC 2014",
            ("Weblogs, newsgroups, e-mails, reviews and answers: sentences of one text may lie in one part only.",),
            "https://universaldependencies.org/treebanks/en_ewt/", "ud_english_ewt",
            (
                PublicFile("en_ewt-ud-train.conllu", f"{_EWT}/en_ewt-ud-train.conllu",
                           "3fb78e2b55482c8ee00caa653af436c88c9e5bc9a73ce26e4ae3ddc79d2b7e7b", 14203025,
                           (("en_ewt-ud-train.conllu.xz",
                             "f78d31a1903b33056c9dad7f6a471925e6afd36053a30458aea9b38daa5697b5"),)),
                PublicFile("en_ewt-ud-dev.conllu", f"{_EWT}/en_ewt-ud-dev.conllu",
                           "531a54ff90d6ab12201c5a50c3e78e6ddac4de69abc4bce5d275d3cd29efe2b6", 1805545,
                           (("en_ewt-ud-dev.conllu.xz",
                             "d1f268760e85964e41ab080918da8fb7d1349bbd7f8ee1359f1d1d371ed18179"),)),
                PublicFile("en_ewt-ud-test.conllu", f"{_EWT}/en_ewt-ud-test.conllu",
                           "e266e515a0a7547657ed3d90d9ba46487d6bd251f27ad4269d4e8a427c8555cd", 1804515,
                           (("en_ewt-ud-test.conllu.xz",
                             "567ee1f64be1f2acdc439bba8ccc49a2ac415cca9fead4de04f57578d044efdf"),)),
            ),
        ),
        Public(
            "wnut17", "5,690 posts and comments with the names of rare things in them", public_loaders.sentences,
            "CC BY 4.0", "L. Derczynski et al., Results of the WNUT2017 Shared Task on Novel and Emerging Entity "
            "Recognition, 2017",
            ("Names of dev and test were chosen to be new: a score on them is far below one on news.",),
            "https://noisy-text.github.io/2017/emerging-rare-entities.html", "wnut17_ner",
            (
                PublicFile("wnut17train.conll", f"{_WNUT}/wnut17train.conll",
                           "731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5", 493781),
                PublicFile("emerging.dev.conll", f"{_WNUT}/emerging.dev.conll",
                           "e053b752b8155113ca66e7db08af5f2f5f43ab993694e4774f1ec5bad42312d8", 114749),
                PublicFile("emerging.test.annotated", f"{_WNUT}/emerging.test.annotated",
                           "2aa79b764e56ec9264a1b30fdd9b70195bd00ff400b62edd8f399d5f13c178f0", 192425),
            ),
        ),
        Public(
            "tatoeba-en-fr", "142,787 sentences of everyday English with a French translation", parallel.tatoeba,
            "CC BY 2.0 FR", "Tatoeba, tatoeba.org, as packed by C. Kelly at manythings.org/anki, 2017",
            ("98,659 English sentences, many with several translations: those of one sentence stay in one part.",
             "Written by volunteers; sentences are short (6 words) and alike: scores are far above those on news."),
            "https://www.manythings.org/anki/", "tatoeba_eng_fra",
            (
                PublicFile("fra-eng.zip", "https://www.manythings.org/anki/fra-eng.zip",
                           "16c4f7d0df9e7c5e6c54cdb0447f3f4a18a55052ff5e2e0b27dd4a06c0e49d04", 2951390),
            ),
        ),
        # `also`: a reduced copy, the first 200 pictures of each class, 224×299.
        Public(
            "trashnet", "photographs of rubbish in 6 classes (2,527, or the reduced copy of 1,137)",
            public_loaders.trashnet, "MIT",
            "G. Thung, M. Yang, Classification of Trash for Recyclability Status, CS229, Stanford, 2016",
            ("The same object was photographed several times in a row, and the files do not say which: a random split "
             "puts one object on both sides.", "All lie on the same white board: other backgrounds will be harder.",
             "In the full set three pictures occur under two labels."),
            "https://github.com/garythung/trashnet", "trashnet_small",
            (
                PublicFile("dataset-resized.zip",
                           "https://huggingface.co/datasets/garythung/trashnet/resolve/main/dataset-resized.zip",
                           "c060e8abfe5d6de0578ca15be1ed8ad0794a865d333c3473d53d1d9ad6e38b8c", 42834870,
                           (("trashnet_small.tar",
                             "ec79801145a971e03c9140147c6e61c3a850cc0711ac4b3545dbe3043e911c7f"),)),
            ),
        ),
    )
}


def names() -> list[str]:
    """The names that `load` takes."""
    return list(SETS)


def list_public() -> list[Public]:
    """All named sets, with address, licence, citation and notes."""
    return list(SETS.values())


def find(name: str) -> Public:
    """The set of that name; DataError naming the nearest."""
    try:
        return SETS[name]
    except KeyError:
        raise DataError(f"there is no public data set {name!r}", remedy=nearest(name, names())) from None


def get(name: str, root: Path | None = None, progress: bool | None = None) -> Path:
    """The folder with the files of that set: below `root` (default $ORTHOGON_DATA) if they are there and verified,
    else in the cache, fetched if need be. For bundled sets the cache folder, which may be empty.

    DataError: an unknown name, no connection, another content than expected.
    """
    public = find(name)
    cache = cache_root() / "data" / name
    if public.bundled:
        return cache
    given = root or (Path(os.environ["ORTHOGON_DATA"]) if os.environ.get("ORTHOGON_DATA") else None)
    for folder in (given / public.folder, given / name) if given else ():
        if _complete(public, folder):
            return folder
    for file in public.files:
        fetch(file, cache, progress)
    return cache


def _complete(public: Public, folder: Path) -> bool:
    """Whether every file of the set lies there; DataError where one does with another content than known."""
    found = [_present(file, folder) for file in public.files]
    if not all(found):
        return False
    for file, path in zip(public.files, found):
        accepted = {file.sha256, *(digest for name, digest in file.also)}
        if path is not None and (digest := sha256_of(path)) not in accepted:
            raise DataError(f"this is not the file that {public.name} consists of: SHA-256 {digest}", where=str(path),
                            remedy="Replace or remove it; or give the path itself to read it as it is.")
    return True


def _present(file: PublicFile, folder: Path) -> Path | None:
    for name in (file.name, *(name for name, _ in file.also)):
        if (folder / name).is_file():
            return folder / name
    return None


def load(name: str, root: Path | None = None, progress: bool | None = None) -> Dataset:
    """The set as a Dataset with its card; origin is the name."""
    public = find(name)
    data = public.loader(get(name, root, progress))
    return replace(data, name=name, card=public.card, origin=name)
