"""Every format that labels, parallel text and unlabelled text come in, and every fault named by file and line."""

import json
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from lrc.data.examples import BadExamples, Pair, Question
from lrc.data.lines import read_lines
from lrc.data.parallel import read_parallel
from lrc.data.passages import read_passages
from lrc.data.readers import read_pairs, read_questions
from lrc.errors import UserError
from tests.conftest import EXAMPLES, data_dir, lrc, tiny_arguments

CONTEXT = "गंगा हिमालय से निकलती है और बंगाल की खाड़ी में गिरती है।"
ROWS = [
    {
        "id": "a",
        "title": "",
        "question": "गंगा कहाँ से निकलती है?",
        "context": CONTEXT,
        "answer": "हिमालय",
        "answer_start": 5,
    },
    {
        "id": "b",
        "title": "",
        "question": "वह कहाँ गिरती है?",
        "context": CONTEXT,
        "answer": "बंगाल की खाड़ी",
        "answer_start": 28,
    },
]
WANTED = [
    Question(row["id"], "hi", "", row["question"], row["context"], ((row["answer"], row["answer_start"]),))
    for row in ROWS
]
PAIRS = [
    Pair("p1", "zh", "猫坐在垫子上，很安静。", "垫子上坐着一只安静的猫。", 1),
    Pair("p2", "zh", '他说"好"。', "她说不好。", 0),
]


def refuse() -> BadExamples:
    return BadExamples(False)


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def jsonl(path: Path, rows: list[dict]) -> Path:
    return write(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def delimited(rows: list[dict], delimiter: str, end: str = "\n") -> str:
    cells = [list(rows[0]), *[[str(value) for value in row.values()] for row in rows]]
    return "".join(delimiter.join(row) + end for row in cells)


def hub_answers(row: dict) -> dict:
    answers = {"text": [row["answer"]], "answer_start": [row["answer_start"]]}
    return {key: row[key] for key in ("id", "title", "question", "context")} | {"answers": answers}


def test_the_same_questions_come_from_every_format(tmp_path: Path) -> None:
    squad = [hub_answers(row) for row in ROWS]
    parquet.write_table(pyarrow.Table.from_pylist(squad), tmp_path / "hub.parquet")
    objects = [row | {"answers": [{"text": row["answer"], "answer_start": row["answer_start"]}]} for row in ROWS]
    files = [
        tmp_path / "hub.parquet",
        jsonl(tmp_path / "hub.jsonl", squad),
        jsonl(tmp_path / "flat.jsonl", ROWS),
        jsonl(tmp_path / "objects.jsonl", objects),
        write(tmp_path / "rows.csv", delimited(ROWS, ",")),
        write(tmp_path / "excel.csv", delimited(ROWS, ";", "\r\n"), "utf-8-sig"),
        write(tmp_path / "rows.tsv", delimited(ROWS, "\t", "\r\n"), "utf-8-sig"),
    ]
    for path in files:
        assert read_questions(path, "hi", refuse()) == WANTED, path.name


def test_the_same_pairs_come_from_every_format(tmp_path: Path) -> None:
    rows = [{"id": p.id, "sentence1": p.first, "sentence2": p.second, "label": p.label} for p in PAIRS]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "pairs.parquet")
    quoted = delimited(rows, ",").replace('他说"好"。', '"他说""好""。"')
    files = [
        tmp_path / "pairs.parquet",
        jsonl(tmp_path / "pairs.jsonl", rows),
        write(tmp_path / "pairs.csv", quoted),
        write(tmp_path / "pairs.tsv", delimited(rows, "\t")),
    ]
    for path in files:
        assert read_pairs(path, "zh", refuse()) == PAIRS, path.name


def test_csv_cells_may_hold_line_ends_and_rows_are_named_by_their_first(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", 'id,sentence1,sentence2,label\nx,"a\nb",c,1\ny,d,e,2\n')
    with pytest.raises(UserError, match="line 4: pair y: expected the label 0 or 1, found '2'"):
        read_pairs(path, "en", refuse())
    bad = BadExamples(True)
    assert read_pairs(path, "en", bad) == [Pair("x", "en", "a\nb", "c", 1)]
    assert bad.count == 1
    with pytest.raises(UserError, match="line 2: not CSV"):
        read_pairs(write(path, 'sentence1,sentence2,label\n"a,b,1\n'), "en", refuse())


def test_columns_take_other_names(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "id,frage,text,antwort\nq1,کجا؟,در تهران است,تهران\n")
    columns = {"question": "frage", "context": "text", "answer": "antwort"}
    assert read_questions(path, "fa", refuse(), columns) == [
        Question("q1", "fa", "", "کجا؟", "در تهران است", (("تهران", 3),))
    ]
    with pytest.raises(UserError, match="no column question, context but id, frage, text, antwort"):
        read_questions(path, "fa", refuse())
    with pytest.raises(UserError, match="`columns` question=wo"):
        read_questions(path, "fa", refuse(), {"question": "wo"})


def test_an_answer_without_offset_must_be_the_only_one(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "id,question,context,answer\nq7,ไหน,แม่น้ำปิง แม่น้ำวัง,แม่น้ำ\n")
    with pytest.raises(UserError, match="line 2: question q7: the answer 'แม่น้ำ' occurs 2 times"):
        read_questions(path, "th", refuse())


def test_unanswerable_questions_are_read(tmp_path: Path, tiny: Path) -> None:
    item = {"id": "n", "question": "متى؟", "answers": [], "is_impossible": True}
    document = {"data": [{"paragraphs": [{"context": "القاهرة عاصمة مصر.", "qas": [item]}]}]}
    path = write(tmp_path / "v2.json", json.dumps(document))
    (question,) = read_questions(path, "ar", refuse())
    assert question.answers == ()
    empty = {
        "id": "n",
        "question": "متى؟",
        "context": "القاهرة عاصمة مصر.",
        "answers": {"text": [], "answer_start": []},
    }
    assert read_questions(jsonl(tmp_path / "v2.jsonl", [empty]), "ar", refuse()) == [question]
    del item["is_impossible"]
    with pytest.raises(UserError, match="question n: has no answer, nor is_impossible"):
        read_questions(write(path, json.dumps(document)), "ar", refuse())


def test_training_and_scoring_take_unanswerable_questions(tmp_path: Path, tiny: Path) -> None:
    rows = [
        {
            "id": str(number),
            "question": "متى؟",
            "context": f"القاهرة عاصمة مصر رقم {number}.",
            "answer": "",
            "is_impossible": True,
        }
        if number % 2
        else {
            "id": str(number),
            "question": "ما عاصمة مصر؟",
            "context": f"القاهرة عاصمة مصر رقم {number}.",
            "answer": "القاهرة",
        }
        for number in range(8)
    ]
    path = jsonl(tmp_path / "v2.jsonl", rows)
    lrc(
        "train",
        "--task",
        "qa",
        "--data",
        path,
        "--langs",
        "ar",
        "--shots",
        4,
        "--steps",
        2,
        "--backbone",
        tiny,
        "--out",
        tmp_path / "run",
    )
    scores = json.loads(lrc("eval", tmp_path / "run", "--test", path, "--json"))
    assert scores["languages"]["ar"]["count"] == 4


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("latin.csv", "sentence1,sentence2,label\na,b,1\nfür,b,1\n".encode("latin-1"), "line 3: byte 2 is not UTF-8"),
        (
            "mixed.tsv",
            "sentence1\tsentence2\tlabel\n猫\t猫\t1\n".encode() + b"\xff\xfe\tx\t1\n",
            "line 3: byte 1 is not",
        ),
        ("nul.csv", b"sentence1,sentence2,label\na\0,b,1\n", "line 2: holds a NUL byte"),
        ("label.jsonl", b'{"sentence1": "a", "sentence2": "b", "label": "yes"}\n', "line 1: expected the label 0 or 1"),
        ("cut.jsonl", b'{"sentence1": "a", "sente\n', "line 1: not JSON"),
        ("list.jsonl", b"[1]\n", "line 1: expected a JSON object"),
        ("short.csv", b"sentence1,sentence2,label\na,b\n", "line 2: expected 3 columns"),
        ("blank.tsv", b"sentence1\tsentence2\tlabel\n \tb\t1\n", "line 2: its sentence1 is empty"),
        ("no.csv", b"sentence1,label\na,1\n", "line 2: has no column sentence2 but sentence1, label"),
        ("twice.csv", b"label,label\n", "line 1: expected a header of distinct"),
        ("no.parquet", b"PAR1 nothing", "not Parquet"),
        ("odd.xlsx", b"PK", "unknown format"),
    ],
)
def test_bad_pairs_are_named_by_file_and_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_pairs(path, "de", refuse())
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_truncated_squad_json_is_refused(tmp_path: Path) -> None:
    whole = (EXAMPLES / "qa.hi.json").read_bytes()
    path = tmp_path / "cut.json"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"cut\.json: (not SQuAD JSON|line \d+: byte)"):
        read_questions(path, "hi", refuse())


def test_long_lines_are_counted_and_the_next_ones_read(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"one\n" + "ก".encode() * 1000 + b"\n\xff\n" + "สาม".encode())
    bad = BadExamples(True)
    assert list(read_lines(path, bad, longest=100)) == [(1, "one"), (4, "สาม")]
    assert bad.count == 2
    with pytest.raises(UserError, match="line 2: is longer than 100 bytes"):
        list(read_lines(path, refuse(), longest=100))


def test_parallel_text_comes_from_two_files_a_table_or_a_memory(tmp_path: Path) -> None:
    wanted = [("Guten Tag", "नमस्ते"), ("Danke", "धन्यवाद")]
    a = write(tmp_path / "a", "Guten Tag\nDanke\n")
    b = write(tmp_path / "b", "नमस्ते\nधन्यवाद\n")
    tsv = write(tmp_path / "both.tsv", "Guten Tag\tनमस्ते\nDanke\tधन्यवाद\n")
    units = "".join(
        f'<tu><tuv xml:lang="de"><seg>{x}</seg></tuv><tuv xml:lang="hi"><seg>{y}</seg></tuv></tu>' for x, y in wanted
    )
    tmx = write(tmp_path / "both.tmx", f'<?xml version="1.0"?><tmx version="1.4"><header/><body>{units}</body></tmx>')
    assert read_parallel([a, b]) == read_parallel([tsv]) == read_parallel([tmx]) == wanted
    with pytest.raises(UserError, match="not TMX"):
        read_parallel([write(tmx, "<tmx><tu>")])
    with pytest.raises(UserError, match="line 1: expected two sentences"):
        read_parallel([write(tsv, "eins\n")])
    with pytest.raises(UserError, match="unknown format of parallel text"):
        read_parallel([a])


def test_bitext_feeds_the_alignment_term(tiny: Path, tmp_path: Path) -> None:
    tsv = write(tmp_path / "both.tsv", "Guten Tag\tनमस्ते\nDanke\tधन्यवाद\n")
    lrc(*tiny_arguments(tiny, tmp_path / "run", "paraphrase", "--bitext", tsv))
    losses = json.loads((tmp_path / "run" / "metrics.json").read_text())["loss"]
    assert all("cosine" in terms for terms in losses)


def test_passages_are_paragraphs_and_long_ones_are_cut(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    write(folder / "a.txt", "यह पहला है।\nवही आगे।\n\nयह दूसरा है।\n")
    jsonl(folder / "b.jsonl", [{"text": "一\n二"}, {"text": "字" * 3000}])
    passages = list(read_passages(folder, refuse()))
    assert [passage.text for passage in passages[:3]] == ["यह पहला है। वही आगे।", "यह दूसरा है।", "一 二"]
    assert passages[1].where == f"{folder / 'a.txt'}: line 4"
    assert "".join(passage.text for passage in passages[3:]) == "字" * 3000
    assert all(len(passage.text) <= 1200 for passage in passages)
    bad = BadExamples(True)
    write(folder / "b.jsonl", '{"texts": 1}\n{"text": 5}\n{"text": "ok"}\n')
    assert [passage.text for passage in read_passages(folder / "b.jsonl", bad)] == ["ok"]
    assert bad.count == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"has no \.txt or \.jsonl file"):
        list(read_passages(tmp_path / "empty", refuse()))


def test_real_news_text_is_streamed_whole() -> None:
    path = data_dir() / "parallel" / "ntrex.sw.txt"
    words = " ".join(passage.text for passage in read_passages(path, refuse())).split()
    assert words == path.read_text(encoding="utf-8").split()


def test_hub_data_sets_are_read_from_a_local_folder(tmp_path: Path, tiny: Path) -> None:
    folder = tmp_path / "repo"
    folder.mkdir()
    squad = [hub_answers(row) for row in ROWS]
    parquet.write_table(pyarrow.Table.from_pylist(squad), folder / "train-00000.parquet")
    assert read_questions(f"hf:{folder}", "hi", refuse()) == WANTED
    assert read_questions(f"hf:{folder}@train", "hi", refuse()) == WANTED
    arrow = tmp_path / "arrow"
    arrow.mkdir()
    table = pyarrow.Table.from_pylist(squad)
    with pyarrow.OSFile(str(arrow / "train.arrow"), "wb") as file, pyarrow.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
    assert read_questions(f"hf:{arrow}", "hi", refuse()) == WANTED
    with pytest.raises(UserError, match="has no split dev; it has train"):
        read_questions(f"hf:{folder}@dev", "hi", refuse())
    with pytest.raises(UserError, match="hf:"):
        read_questions(f"hf:{tmp_path / 'absent'}", "hi", refuse())


def test_shots_of_another_run_are_taken_back(tiny: Path, tmp_path: Path, qa_run: Path) -> None:
    again = tmp_path / "again"
    lrc(*tiny_arguments(tiny, again, "qa", "--seed", 5, "--shots-file", qa_run / "shots.json"))
    assert (again / "shots.json").read_text() == (qa_run / "shots.json").read_text()
    shots = json.loads((qa_run / "shots.json").read_text())
    shots["hi"][0] = "unknown"
    wrong = write(tmp_path / "wrong.json", json.dumps(shots))
    with pytest.raises(UserError, match="1 of 8 ids are not in the data, such as unknown"):
        lrc(*tiny_arguments(tiny, tmp_path / "none", "qa", "--shots-file", wrong))
    with pytest.raises(UserError, match="expected an object of lists of ids"):
        lrc(*tiny_arguments(tiny, tmp_path / "none", "qa", "--shots-file", write(wrong, "[]")))
