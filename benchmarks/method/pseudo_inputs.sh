#!/usr/bin/env bash
# Makes the pseudo-labels that "What are pseudo-labels worth?" compares: spans, clozes, code-switched labels, pairs, and
# self-labels, for which it first trains the teachers.
#
#   benchmarks/method/pseudo_inputs.sh FOLDER
#
# Needs `lrc` on the path and LRC_DATA_DIR.
set -euo pipefail
[ $# -eq 1 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
studies=$here/../results/what-are-pseudo-labels-worth
: "${LRC_DATA_DIR:?is the folder of the data sets}"
LRC_DATA_DIR=$(cd "$LRC_DATA_DIR" && pwd)
N=$LRC_DATA_DIR/parallel/ntrex
mkdir -p "$1"
cd "$1"
python "$here/pseudo_inputs.py" .
lrc pseudo mlqa.hi.txt --lang hi --generator spans --out spans.hi.jsonl
lrc pseudo mlqa.hi.txt --lang hi --generator clozes --out clozes.hi.jsonl
lrc pseudo xquad.hi.txt --lang hi --generator spans --out spans.xquad.hi.jsonl
lrc pseudo xquad.hi.txt --lang hi --generator clozes --out clozes.xquad.hi.jsonl
lrc pseudo en.json --lang hi --generator codeswitch --parallel "$N.en.txt" "$N.hi.txt" --out switched.hi.jsonl
lrc pseudo en.tsv --lang de --generator codeswitch --parallel "$N.en.txt" "$N.de.txt" --out switched.de.jsonl
lrc pseudo de.txt --lang de --generator swaps --out swaps.de.jsonl
lrc pseudo de.txt --lang de --generator reorderings --out reorderings.de.jsonl
lrc pseudo de.txt --lang de --generator roundtrips --parallel "$N.de.txt" "$N.en.txt" --out roundtrips.de.jsonl
lrc study "$studies/teachers-xquad.toml"
lrc study "$studies/teachers-mlqa.toml"
teachers() {
    echo "studies/pseudo-teachers-$1/runs/codeswitch-lrc-$1-hi-$2-s$3/run"
}
for n in 16 64; do
    for s in 0 1 2; do
        lrc pseudo mlqa.hi.jsonl --lang hi --generator self --run "$(teachers xquad $n $s)" --least-score 0.5 \
            --out self.xquad-$n.$s.jsonl
        lrc pseudo xquad.hi.jsonl --lang hi --generator self --run "$(teachers mlqa $n $s)" --least-score 0.5 \
            --out self.mlqa-$n.$s.jsonl
    done
done
