"""Nearest train sessions vote for the next item: SKNN, V-SKNN, VMIS-kNN, STAN and VSTAN."""
