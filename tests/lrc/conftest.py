from pathlib import Path

import pytest

from tests.lrc.studies import start_study, study_file


@pytest.fixture(scope="session")
def finished_study(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study that ran to its end; not to be changed."""
    folder = tmp_path_factory.mktemp("study")
    assert start_study(study_file(folder, tiny), folder / "out").wait() == 0
    return folder / "out"
