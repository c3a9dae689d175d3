"""Every reason for which a record is kept in `dead-letters`, engine's first, then business, in order of precedence.

The value is what operators see, count and filter by (`fsn dlq list --reason FORGED`). A reason says what kind of
thing was wrong; the detail beside it says what exactly, and the mend.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a record could not be processed."""

    WRONG_PARTITION = "WRONG_PARTITION"
    FORGED = "FORGED"
    UNDECODABLE = "UNDECODABLE"
    UNKNOWN_SCHEMA = "UNKNOWN_SCHEMA"
    UNDECLARED_RECORD = "UNDECLARED_RECORD"
    KEY_MISMATCH = "KEY_MISMATCH"
    MISSING_FIELD = "MISSING_FIELD"
    INVALID_VALUE = "INVALID_VALUE"
    NEGATIVE_QUANTITY = "NEGATIVE_QUANTITY"
    UNKNOWN_MERCHANT = "UNKNOWN_MERCHANT"
    UNKNOWN_LOCATION = "UNKNOWN_LOCATION"
    UNKNOWN_FEED = "UNKNOWN_FEED"
    UNKNOWN_VARIANT = "UNKNOWN_VARIANT"
    UNKNOWN_ASSIGNMENT = "UNKNOWN_ASSIGNMENT"
    UNKNOWN_LABEL = "UNKNOWN_LABEL"
    ORDER_DIFFERS = "ORDER_DIFFERS"
    RECORD_DIFFERS = "RECORD_DIFFERS"
    ORDER_UNKNOWN = "ORDER_UNKNOWN"
    ILLEGAL_TRANSITION = "ILLEGAL_TRANSITION"
    INVALID_PAYLOAD = "INVALID_PAYLOAD"
    CURRENCY_INVALID = "CURRENCY_INVALID"
    OUTPUT_TOO_LARGE = "OUTPUT_TOO_LARGE"
    PROCESSOR_ERROR = "PROCESSOR_ERROR"
