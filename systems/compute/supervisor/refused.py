"""What a verb throws that will not do what it is asked: the kind of a failure, and one sentence."""

EXIT_CODES = {"InvalidInput": 65, "NoCapacity": 69, "Conflict": 73, "NotFound": 66, "Internal": 70, "Unavailable": 75}


class Refused(Exception):
    def __init__(self, kind, message, **details):
        super().__init__(message)
        self.kind = kind
        self.details = details
