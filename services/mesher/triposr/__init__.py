"""TripoSR for inference: a framed picture to a triplane, and density and colour at any point of it.

One file a part, in the order of the data: picture → image_tokenizer → tokenizer → backbone → post_processor → decoder,
asked through query; model puts them together and checkpoint fills them. The modules are named as in the official
checkpoint. Only `config` and `picture.compose_on_grey` work without torch.

Source: Tochilkin et al. 2024, "TripoSR: Fast 3D Object Reconstruction from a Single Image"; the official code and
weights are under the MIT licence.
"""
