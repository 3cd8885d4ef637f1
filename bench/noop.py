"""The least that FastAPI can do with a body: `python -m bench.noop PORT`. The intake's floor."""

import sys

import uvicorn
from fastapi import FastAPI, Request

app = FastAPI()


@app.post("/noop", status_code=202)
async def noop(request: Request) -> dict[str, int]:
    """Read the body and answer."""
    return {"bytes": len(await request.body())}


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
    )
