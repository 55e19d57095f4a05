"""Files of complaints and survey answers from other systems."""
