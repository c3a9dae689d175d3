"""What every record type shares, and the integer widths that Avro tells apart.

A record is an immutable typed value. Its class docstring carries one line for the record and one `name: meaning`
line per field; from both comes the committed `.avsc` (see `schemas.evolution`). Money is integer minor units
(`*_minor`), an instant is epoch milliseconds UTC (`*_at`), a duration `*_ms`, a weight `*_g`, a distance `*_m`.
"""

from typing import Annotated, dataclass_transform

import msgspec

Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
"""An Avro `int`: quantities, counters, days. A plain `int` is an Avro `long`."""


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Record(msgspec.Struct, frozen=True, gc=False):
    """A value on a topic."""


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Part(msgspec.Struct, frozen=True, gc=False):
    """A value inside a record: never a topic's record itself."""
