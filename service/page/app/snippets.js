// The request that the page makes, for other clients.

import { address, key } from "./api.js";
import { dialOf } from "./settings.js";

const quoted = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

const pythonic = (value) => JSON.stringify(value).replaceAll(":", ": ").replaceAll(",", ", ");

/** curl: the prediction, with the dials in the request. */
export function curl({ model, picture }, setting) {
  const dial = dialOf(model, setting);
  const bearer = key.get() ? ` \\\n  -H "Authorization: Bearer $SLIMDIAL_API_KEY"` : "";
  if (picture?.example === null) {
    return `curl -s ${address()}/predict${bearer} \\\n  -F ${quoted(`image=@${picture.name}`)} \\\n  -F ${quoted(`request=${JSON.stringify(dial)}`)}`;
  }
  const body = picture ? { example: picture.example, ...dial } : dial;
  const path = picture ? "predict" : "subnet";
  return `curl -s ${address()}/${path}${bearer} \\\n  -H 'Content-Type: application/json' \\\n  -d ${quoted(JSON.stringify(body))}`;
}

/** Python: the same with the project's client, and the ONNX file. */
export function python({ model, picture }, setting) {
  const { budget, preference } = dialOf(model, setting);
  const example = picture !== null && picture.example !== null;
  // The client finds the key in the environment by itself.
  const keyed = example && key.get();
  const bearer = keyed ? ", headers=headers" : "";
  const imports = [
    ...(keyed ? ["import os"] : []),
    ...(example ? ["from urllib.request import Request, urlopen"] : []),
  ];
  const path = example && `/models/${model.name}/examples/${picture.example}/picture`;
  const lines = [
    ...imports,
    ...(imports.length ? [""] : []),
    "from service.client import Client",
    "",
    `url = ${JSON.stringify(address())}`,
    ...(keyed ? [`headers = {"Authorization": f"Bearer {os.environ['SLIMDIAL_API_KEY']}"}`] : []),
    ...(example ? [`image = urlopen(Request(url + ${JSON.stringify(path)}${bearer})).read()`] : []),
    "with Client(url) as client:",
    "    subnet = client.subnet(",
    `        model=${JSON.stringify(model.name)},`,
    `        budget=${pythonic(budget)},`,
    `        preference=${pythonic(preference)},`,
    "    )",
    "    print(subnet.subnet_id, subnet.gmacs)",
    ...(picture
      ? [`    prediction = client.predict(${example ? "image" : JSON.stringify(picture.name)}, subnet)`]
      : []),
    `    with open("${model.name}.onnx", "wb") as file:`,
    "        file.write(client.onnx(subnet))",
  ];
  return lines.join("\n");
}
