"""From a draft to an answer: quotes that show it, and nothing invented."""
