"""The metering benchmark: who would be paid what, against what everyone's data was worth."""
