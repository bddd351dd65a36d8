#!/usr/bin/env bash
# Makes the inputs of the studies of the method: raw text, pseudo-labels, parallel text.
#
#   benchmarks/method/inputs.sh FOLDER [PART...]
#
# Needs `lrc` on the path and LRC_DATA_DIR. Without a PART it makes all of them; `texts` comes first by itself.
#   texts      raw text by language, and the source labels that each language code-switches
#   spans      spans from raw text, for XQuAD and for MLQA
#   switched   source labels code-switched into each language, for XQuAD, MLQA and PAWS-X
#   pairs      swaps, round trips and swaps in other words, for PAWS-X
#   parallel   lines of NTREX in English and another language, for the alignment terms
#   clozes     English clozes on passages in other languages
#   unseen     MLQA's dev questions in English that are not among the shots
#   english    English source labels where studies look for them
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit 2; }
inputs=$(cd "$(dirname "$0")" && pwd)/inputs.py
: "${LRC_DATA_DIR:?is the folder of the data sets}"
LRC_DATA_DIR=$(cd "$LRC_DATA_DIR" && pwd)
N=$LRC_DATA_DIR/parallel/ntrex
mkdir -p "$1"
cd "$1"
shift
ln -sfn "$LRC_DATA_DIR" data

texts() {
    python "$inputs" texts .
}

spans() {
    for l in ar de en es hi ru tr vi zh; do
        lrc pseudo xquad.$l.txt --lang $l --generator spans --out spans.$l.jsonl
    done
    python "$inputs" mix pseudo/spans.jsonl 900 spans.*.jsonl
    mkdir -p mlqa
    for l in ar de en es hi zh; do
        lrc pseudo mlqa.$l.txt --lang $l --generator spans --out mlqa/spans.$l.jsonl
    done
    python "$inputs" mix pseudo/spans.mlqa.jsonl 900 mlqa/spans.*.jsonl
}

switched() {
    for l in ar de es hi ru tr vi zh; do
        lrc pseudo en.$l.json --lang $l --generator codeswitch --parallel "$N.en.txt" "$N.$l.txt" --limit 1600 \
            --out switched.xquad.$l.jsonl
    done
    for l in de es fr ja ko zh; do
        lrc pseudo pawsx.en.$l.tsv --lang $l --generator codeswitch --parallel "$N.en.txt" "$N.$l.txt" \
            --out switched.pawsx.$l.jsonl
    done
    python "$inputs" mix pseudo/switched.xquad.jsonl 1600 switched.xquad.*.jsonl
    python "$inputs" mix pseudo/switched.mlqa.jsonl 1600 switched.xquad.{ar,de,es,hi,zh}.jsonl
    python "$inputs" mix pseudo/switched.pawsx.jsonl 2700 switched.pawsx.*.jsonl
}

pairs() {
    for l in de en es fr ja ko zh; do
        o=en
        [ $l != en ] || o=de
        lrc pseudo pawsx.$l.txt --lang $l --generator swaps --limit 1000 --out swaps.$l.jsonl
        lrc pseudo pawsx.$l.txt --lang $l --generator roundtrips --parallel "$N.$l.txt" "$N.$o.txt" --limit 1000 \
            --out roundtrips.$l.jsonl
        lrc pseudo pawsx.$l.txt --lang $l --generator swaps --parallel "$N.$l.txt" "$N.$o.txt" --limit 1000 \
            --out reworded.$l.jsonl
    done
    python "$inputs" mix pseudo/swaps.jsonl 1000 swaps.*.jsonl
    python "$inputs" mix pseudo/roundtrips.jsonl 1000 roundtrips.*.jsonl
    python "$inputs" mix pseudo/swaprt.jsonl 1000 reworded.*.jsonl
}

parallel() {
    for l in ar de es hi zh; do paste "$N.en.txt" "$N.$l.txt"; done |
        shuf --random-source="$N.en.txt" > parallel.mlqa.tsv
}

clozes() {
    for l in ar de es hi zh; do
        lrc pseudo "$N.$l.txt" --lang $l --generator clozes --parallel "$N.$l.txt" "$N.en.txt" --out translated.$l.jsonl
    done
    python "$inputs" mix pseudo/translated.mlqa.jsonl 900 translated.*.jsonl
}

unseen() {
    python "$inputs" unseen unseen 0
}

english() {
    ln -sfn data/pawsx/x-final/en/train.tsv train.tsv
    python "$inputs" join both-en.json "$LRC_DATA_DIR/source/natural-en.json" "$LRC_DATA_DIR/source/squad-en.json"
}

every="spans switched pairs parallel clozes unseen english"
for part in "$@"; do
    case " texts $every " in
        *" $part "*) ;;
        *) echo "inputs.sh: no part $part; there are texts $every" >&2; exit 2 ;;
    esac
done
[ -e pawsx.zh.txt ] || texts
for part in ${*:-$every}; do
    [ "$part" = texts ] || "$part"
done
