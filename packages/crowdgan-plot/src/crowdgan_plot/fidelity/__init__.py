"""Figure of density fidelity: requested against measured density."""
