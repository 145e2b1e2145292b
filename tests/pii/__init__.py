"""A labelled corpus, made from the issuers' rules, and how well detectors do on it."""
