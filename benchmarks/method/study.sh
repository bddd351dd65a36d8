#!/usr/bin/env bash
# Runs studies in a folder of inputs, and writes their reports there, in studies/NAME.
#
#   benchmarks/method/study.sh FOLDER STUDY.toml...
#
# `inputs.sh` or `pseudo_inputs.sh` makes what FOLDER must hold. Needs `lrc` on the path and LRC_DATA_DIR.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit 2; }
: "${LRC_DATA_DIR:?is the folder of the data sets}"
LRC_DATA_DIR=$(cd "$LRC_DATA_DIR" && pwd)
folder=$1
shift
studies=()
for study in "$@"; do studies+=("$(realpath "$study")"); done
mkdir -p "$folder"
cd "$folder"
ln -sfn "$LRC_DATA_DIR" data
for study in "${studies[@]}"; do
    name=$(sed -n '/^name = /{s/.*"\(.*\)"/\1/p;q}' "$study")
    lrc study "$study" --out "studies/$name"
    lrc report "studies/$name"
done
