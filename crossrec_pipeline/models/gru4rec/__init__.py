"""GRU4Rec (Hidasi et al. 2016; Hidasi and Karatzoglou 2018) in PyTorch."""
