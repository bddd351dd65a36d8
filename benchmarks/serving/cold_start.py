"""What an environment with lrc-runtime alone costs: installed size, import, and a new process to its first answer.

python -m venv .venv-runtime && .venv-runtime/bin/python -m pip install -c constraints.txt ./runtime
python -m benchmarks.serving.cold_start .venv-runtime/bin/python BUNDLE
"""

import argparse
import json
import os
import statistics
import subprocess
import time
from pathlib import Path

_REPEATS = 7
_INSTALLERS = ("pip", "setuptools")
_PACKAGES = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
_IMPORT = "import time; began = time.perf_counter(); import lrc_runtime; print(time.perf_counter() - began)"
_ANSWER = """
import sys, lrc_runtime
qa = lrc_runtime.load_question_answerer(sys.argv[1])
print(qa.answer("Mlima Kenya una urefu wa mita ngapi?", "Mlima Kenya una urefu wa mita 5,199.").text)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python")
    parser.add_argument("bundle", type=Path)
    options = parser.parse_args()
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(code: str, *arguments: object) -> str:
        command = [options.python, "-c", code, *map(str, arguments)]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=clean).stdout.strip()

    folder = Path(run(_PACKAGES))
    sizes = {
        each.name: sum(file.stat().st_size for file in each.rglob("*") if file.is_file()) if each.is_dir() else 0
        for each in folder.iterdir()
        if not each.name.startswith(_INSTALLERS)
    }
    run(_ANSWER, options.bundle)
    imports = [float(run(_IMPORT)) for _ in range(_REPEATS)]
    starts = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        run(_ANSWER, options.bundle)
        starts.append(time.perf_counter() - began)
    found = {
        "installed_mb": round(sum(sizes.values()) / 1e6),
        "largest_mb": {name: round(sizes[name] / 1e6) for name in sorted(sizes, key=sizes.__getitem__)[-4:]},
        "import_s": round(statistics.median(imports), 3),
        "process_to_first_answer_s": round(statistics.median(starts), 3),
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
