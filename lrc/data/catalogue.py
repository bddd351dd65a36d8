"""The published data sets that `lrc data get` fetches: where each lies, what its files must be, and how to cite it."""

from collections import defaultdict
from pathlib import Path

from ..errors import UserError
from ..files import read_json, write_json
from .download import Digest
from .published import Published

_MEGABYTE = 1 << 20
_GITHUB = "https://raw.githubusercontent.com"

_TYDI = {
    "arabic": "ar",
    "bengali": "bn",
    "english": "en",
    "finnish": "fi",
    "indonesian": "id",
    "korean": "ko",
    "russian": "ru",
    "swahili": "sw",
    "telugu": "te",
}


def _split_tydi(path: Path, folder: Path) -> None:
    """Splits TyDi QA GoldP, one file of all languages, by the language that each question's id begins with."""
    split = "train" if "train" in path.name else "dev"
    document = read_json(path)
    articles: dict[str, list[object]] = defaultdict(list)
    try:
        for article in document["data"]:
            language = article["paragraphs"][0]["qas"][0]["id"].partition("-")[0]
            articles[_TYDI[language]].append(article)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not TyDi QA GoldP ({error!r})") from error
    for lang, data in articles.items():
        write_json(folder / f"tydiqa-goldp.{lang}.{split}.json", {"version": document.get("version"), "data": data})


def _afriqa(code: str, split: str) -> str:
    return f"gold_passages/{code}/gold_span_passages.afriqa.{code}.en.{split}.json"


# Sizes and digests of the first four are those that TensorFlow Datasets and the Hugging Face hub publish, which agree;
# of the last two, those of the named commits of their publishers.
MLQA = Published(
    "https://dl.fbaipublicfiles.com/MLQA",
    {"MLQA_V1.zip": Digest("246e8089933d13007fe80684d5c5c0713d6834cf8b3b4a0ec7c66f0a0d2baac8", 75719050)},
    "CC BY-SA 3.0",
    "Lewis et al. 2020, MLQA: Evaluating Cross-lingual Extractive Question Answering, arXiv 1910.07475",
    largest=1024 * _MEGABYTE,
)
XQUAD = Published(
    f"{_GITHUB}/google-deepmind/xquad/master",
    {
        "xquad.ar.json": Digest("abdabd7afed5c635d99cca0f3f0d0c9d9ed0bc77451e963c2e4e0638c29e486d", 1582988),
        "xquad.de.json": Digest("990b5d746746ed65ed4702ea5f35f99ffa4e2f1c390c07d003642acd937916f9", 669810),
        "xquad.el.json": Digest("821cf0f88e73fa258fd2f548b19b6ec39f7025059e16f6f9fc8cd797c9c3663e", 1918889),
        "xquad.en.json": Digest("e4c57d1c9143aaa1c5d265ba5987a65f4e69528d2a98f29d6e75019b10344f29", 609383),
        "xquad.es.json": Digest("dcbae93ec3a9f4b9e78fd834a171d6f96c1a875e10e15b7530b7e4ef4971e37e", 684322),
        "xquad.hi.json": Digest("df2cce3532b37e9beb8979704b5c9a4bf874358f105395a298b89427b43b9d24", 1680538),
        "xquad.ro.json": Digest("94f8d54e93ad2b7dd2e76dd921a666b5b8eff2d4379df9f179c42b445f09643f", 661158),
        "xquad.ru.json": Digest("208d5b1aa154c52b1b5c5eda16281e455e8fd198cdb9af3f469f0d6037d973bf", 1896368),
        "xquad.th.json": Digest("5cdda11d0e1e075f7872abf4e6ae830388ce7f617964d542308e9ae4257e0f43", 1809143),
        "xquad.tr.json": Digest("92179a564774b7696100d144c1e10870d0a966b6fccbdd254a65b9d2ab1971cc", 729506),
        "xquad.vi.json": Digest("f619a1eb11fb42d3ab0834259e488a65f585447ef6154437bfb7199d85161a04", 911401),
        "xquad.zh.json": Digest("691d0b3359bc6b8faa8de931dfdfe21d50a65861ae348e32a0d1a0190b0c8835", 808652),
    },
    "CC BY-SA 4.0",
    "Artetxe et al. 2020, On the Cross-lingual Transferability of Monolingual Representations, arXiv 1910.11856",
)
PAWSX = Published(
    "https://storage.googleapis.com/paws/pawsx",
    {"x-final.tar.gz": Digest("4146db499101d66e68ae4c8ed3cf9dadecd625f44b7d8cf3d4a0fe93afc4fd9f", 30282057)},
    "free for any purpose, Google acknowledged",
    "Yang et al. 2019, PAWS-X: A Cross-lingual Adversarial Dataset for Paraphrase Identification, arXiv 1908.11828",
    largest=512 * _MEGABYTE,
)
TYDIQA = Published(
    "https://storage.googleapis.com/tydiqa/v1.1",
    {
        "tydiqa-goldp-v1.1-train.json": Digest(
            "cefc8e09ff2548d9b10a678d3a6bbbe5bc036be543f92418819ea676c97be23b", 58004076
        ),
        "tydiqa-goldp-v1.1-dev.json": Digest(
            "b286e0f34bc7f52259359989716f369b160565bd12ad8f3a3e311f9b0dbad1c0", 5617409
        ),
    },
    "Apache-2.0",
    "Clark et al. 2020, TyDi QA: A Benchmark for Information-Seeking Question Answering in Typologically Diverse"
    " Languages, arXiv 2003.05002",
    place=_split_tydi,
)
AMQA = Published(
    f"{_GITHUB}/semantic-systems/amharic-qa/68d06ea20ba0dedfdb99385d44fbdc54b83ad96a",
    {
        "train_data.json": Digest("80e216fe3594e02eb82de0a66a501332cddb4fb2734823db6a41d1edf2ad516a", 1747838),
        "dev_data.json": Digest("889f4aeb478005a544a159a552ee7af0974dc78d41618299d8f4290e833d03e2", 497305),
        "test_data.json": Digest("4bff7f83d9d7209108c9133f19de6037e8b979932b761050c67f9b5d2f50f292", 254290),
    },
    "MIT; its passages are from Wikipedia, CC BY-SA",
    "Taffa, Usbeck and Assabie 2024, Low Resource Question Answering: An Amharic Benchmarking Dataset, RAIL 2024",
)
AFRIQA = Published(
    f"{_GITHUB}/masakhane-io/afriqa/5c29933753692c28773c34ac1f68482007f1d2bb/data",
    {
        _afriqa("hau", "train"): Digest("21d975df45d8e1316c964f4fe8521dd7ab455fbe1b0edea1564824352b67be2e", 202993),
        _afriqa("hau", "dev"): Digest("ef9cb217e8ea4922935c7fb9e7456364e91c2712519390071170a18131e9e132", 201939),
        _afriqa("hau", "test"): Digest("e1a0d530d75641760387a2947044d69090c15db620fd9a4dbcf8dc52940d7687", 269430),
        _afriqa("ibo", "train"): Digest("5300a29efc78c3dec1fc68c66eb1fec3a72577de4136a41d7c85aac355f1a5b8", 306759),
        _afriqa("ibo", "dev"): Digest("9636bfa38368c69319f1b7a2bca1ab995c7b4ad63c5801a25da53b34a5fa4e02", 328129),
        _afriqa("ibo", "test"): Digest("490af9c615ec5e56ec50a3da21efed82df5f67c794ac5d8d6c5e7d30845cc48d", 418201),
        _afriqa("kin", "train"): Digest("967a849f4e6d58ebbb3ea81bbbddd4f9d00a30d8752c2354cb894c1596285dc2", 201276),
        _afriqa("kin", "dev"): Digest("5598ac675fecfc5e7009a3cb1a511e81c69983a763715726d3dda2bcd3ed9d28", 208392),
        _afriqa("kin", "test"): Digest("fe067f3aa30c581adbaae7d0012eea5290b5f3119396bbb1c70d665d9e6f31eb", 312127),
        _afriqa("twi", "train"): Digest("cdbba2a4d6a40e6e8fd587d25cb56e57ea2fe888bac254f66fc29409cec1afaa", 331466),
        _afriqa("twi", "dev"): Digest("d9bd337c4a47bb1dbccffb74fa170e418911c7b6c3cbb8c034ae17d6794ada79", 328038),
        _afriqa("twi", "test"): Digest("329221245f9880896b9038405c44b7f8ef48db3067aa556fbd82819de46b954d", 454058),
        _afriqa("yor", "train"): Digest("864d91d1cab11b587b6535e6a293cc21ba2cf62ce7cc44f175f0fd7656f4925c", 155554),
        _afriqa("yor", "test"): Digest("0aa0f6c1769f07788c918fd0dc1848b70ec0f06e8de9a6893d9037b9ff05abaa", 224135),
        _afriqa("zul", "train"): Digest("a5bd82873ef476aaad58cbfb7f5b4234d5f4798aa09ba934dc23edc397355655", 271088),
        _afriqa("zul", "dev"): Digest("3332f7063e65d80cad27d6625de1c9681569a357a6e6eab64132416e64871689", 269899),
        _afriqa("zul", "test"): Digest("e6edc93eed66267a0f8b98a96bc4ef104c66e33a903678fa260219e8c66efd75", 363275),
    },
    "CC BY 4.0",
    "Ogundepo et al. 2023, AfriQA: Cross-lingual Open-Retrieval Question Answering for African Languages,"
    " arXiv 2305.06897",
)
