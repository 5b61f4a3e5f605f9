// Evaluates the expressions on stdin and writes what each yields.
const jsonata = require(process.env.JSONATA);
const { expressions, input } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
(async () => {
  const answers = [];
  for (const text of expressions) {
    try {
      const value = await jsonata(text).evaluate(undefined, { states: { input } });
      answers.push(value === undefined ? { nothing: true } : { value });
    } catch (error) {
      answers.push({ error: error.code ?? String(error) });
    }
  }
  process.stdout.write(JSON.stringify(answers));
})();
