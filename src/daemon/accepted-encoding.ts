/**
 * The encoding that a client likes best of those that there are; the first of those that it likes equally.
 *
 * @param header `Accept-Encoding`, such as `gzip;q=0.5, deflate`
 * @returns `undefined` where nothing is to be encoded
 */
export function acceptedEncoding<Encoding extends string>(
  header: string | undefined,
  offers: readonly Encoding[],
): Encoding | undefined {
  const accepted = (header ?? "").split(",").map((text) => {
    const [name = "", ...parameters] = text.split(";").map((part) => part.trim());
    const weight = parameters.find((parameter) => parameter.startsWith("q="));
    return { name, weight: weight === undefined ? 1 : Number(weight.slice("q=".length)) || 0 };
  });
  let best: Encoding | undefined;
  let bestWeight = 0;
  for (const offer of offers)
    for (const { name, weight } of accepted)
      if (weight > bestWeight && (name === "*" || name === offer)) [best, bestWeight] = [offer, weight];
  return best;
}
