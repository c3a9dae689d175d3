"""docs/partners.md names every status, every queue, and every record of the contract."""

from pathlib import Path

import pytest

from processors.location.inbox import Status
from processors.location.queues import Queue
from processors.location.stage import STAGE

DOCUMENT = (Path(__file__).parents[3] / "docs" / "partners.md").read_text("utf-8")
RECORDS = [record_type.__name__ for record_type in STAGE.handlers["partner-responses"]]


@pytest.mark.parametrize("word", [*Status, *Queue, *RECORDS])
def test_the_document_knows_it(word):
    assert f"`{word}`" in DOCUMENT
