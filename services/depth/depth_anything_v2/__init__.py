"""Depth-Anything-V2 (Yang et al., 2024) without torch: weights, preprocessing, graph, in the order of the data.

Source: the official code, https://github.com/DepthAnything/Depth-Anything-V2 at commit a561b84.
"""
