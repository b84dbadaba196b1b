"""``python -m pbf_ray``: the command line."""

from pbf_ray.cli.main import main

if __name__ == "__main__":
    main()
