"""The jars of the pinned Apache Kafka, copied by Maven into an ignored folder, and the JDK that runs them.

In: `pom.xml`, which pins them. Out: a class path. Maven runs only when the pom has changed since; without Maven, a JDK
of 17 or later or a way to the jars, a `KafkaError` says which of them is missing.
"""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

POM: Final = Path(__file__).with_name("pom.xml")
FOLDER: Final = Path(".fsn/kafka")
JAVA_MIN: Final = 17
MAVEN_TIMEOUT_S: Final = 600.0


class KafkaError(RuntimeError):
    """Apache Kafka cannot be had or started here."""


def java() -> str:
    """The JDK's `java`, of JAVA_HOME or of the path."""
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if found is None:
        raise KafkaError(f"no java found: install a JDK of {JAVA_MIN} or later, or name one with JAVA_HOME")
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=True).stderr
    version = re.search(r'version "(?:1\.)?(\d+)', said)
    if version is None or int(version[1]) < JAVA_MIN:
        raise KafkaError(f"{found} is {said.splitlines()[0]}: Apache Kafka 4 needs a JDK of {JAVA_MIN} or later")
    return found


def class_path(pom: Path = POM, folder: Path = FOLDER) -> str:
    """Every jar that the pom names, copied into `folder/jars-…` once."""
    jars = folder / f"jars-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    if not jars.is_dir():
        _copy(pom, jars)
    return f"{jars.resolve()}/*"


def _copy(pom: Path, jars: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaError("no mvn found: install Maven (Debian: apt install maven)")
    arriving = jars.with_name(jars.name + ".part")
    shutil.rmtree(arriving, ignore_errors=True)
    command = [maven, "-q", "-B", "-f", str(pom), f"-Djars={arriving.resolve()}", "dependency:copy-dependencies"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=MAVEN_TIMEOUT_S, check=False)
    if done.returncode != 0:
        raise KafkaError(f"Maven could not bring the jars of {pom}: {(done.stdout + done.stderr)[-1_500:]}")
    arriving.rename(jars)
