#!/bin/sh
# Trains on examples/data, exports int8, and asks in Swahili, a language that the training never saw.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-demo}
rm -rf "$out"
lrc train --task qa --train "$here/data/qa.{lang}.json" --langs en,de,es,hi,ar,zh --shots 64 --steps 120 --seed 1 --out "$out/run"
lrc export "$out/run" --int8 --out "$out/bundle"
question="Mlima Kenya una urefu wa mita ngapi?"
echo "question (Swahili): $question"
lrc ask "$out/bundle" -q "$question" -c "$here/data/passage.sw.txt"
