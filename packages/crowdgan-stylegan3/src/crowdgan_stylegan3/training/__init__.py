"""Training of StyleGAN3 and StyleGAN2."""
