"""What boto3 makes of the Invoke API of the emulator at sys.argv[1], as one JSON line a call."""
import json
import sys

import boto3

client = boto3.client("lambda", endpoint_url=sys.argv[1], region_name="us-east-1")


def invoke(**arguments):
    try:
        answer = client.invoke(**arguments)
    except client.exceptions.ResourceNotFoundException as error:
        return {"error": "ResourceNotFoundException", "status": error.response["ResponseMetadata"]["HTTPStatusCode"]}
    except client.exceptions.ClientError as error:
        return {"error": error.response["Error"]["Code"]}
    known = {name: answer[name] for name in ("StatusCode", "FunctionError", "ExecutedVersion") if name in answer}
    return known | {"Payload": answer["Payload"].read().decode()}


for arguments in json.load(sys.stdin):
    print(json.dumps(invoke(**arguments)))
