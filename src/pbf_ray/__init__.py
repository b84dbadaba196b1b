"""pbf_ray: process monitoring of metal 3D printing (PBF-LB/M) on Ray."""
