"""Where watts come from: one module per meter, and the sampler that reads them."""
