python3 -m venv .venv && . .venv/bin/activate &&
pip install torch==2.13.0 torchtitan==0.2.2 . &&
python examples/torchtitan/make_assets.py build/titan && cd build/titan &&
OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 python -m shimhub run --enable cpu-device \
    -m torch.distributed.run --nproc_per_node 2 --local-ranks-filter 0 \
    -m torchtitan.train --job.config_file debug-0.2.2.toml
