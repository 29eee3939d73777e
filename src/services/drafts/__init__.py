"""Drafts of offers: what somebody who configures asks for, checked against the catalogue with every problem listed."""
