"""StyleGAN3 and StyleGAN2: a model backend of crowdgan."""
